#!/usr/bin/env bash
# Builds the gateway on the dedicated host and installs it as a service. Running it again upgrades.
set -euo pipefail

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    build-essential ca-certificates curl git libhyperscan-dev libvectorscan-dev-
apt-mark hold libhyperscan-dev libhyperscan5

if ! command -v cargo >/dev/null; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
fi
# shellcheck source=/dev/null
[ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"

cd /srv/gateway
CARGO_TARGET_DIR=/var/cache/gateway-build cargo build --release --package gateway
install -m 0755 /var/cache/gateway-build/release/gateway /usr/bin/gateway

install -d -m 0755 /etc/gateway /etc/gateway/policies
cp policies/*.toml /etc/gateway/policies/
[ -f /etc/gateway/gateway.toml ] || install -m 0644 vagrant/gateway.toml /etc/gateway/gateway.toml
install -m 0644 vagrant/gateway.service /etc/systemd/system/gateway.service

# Connections that wait at a draining worker move to the others (Linux 5.14 and later).
echo 'net.ipv4.tcp_migrate_req = 1' > /etc/sysctl.d/60-gateway.conf
sysctl -q --system

systemctl daemon-reload
systemctl enable gateway
echo "edit /etc/gateway/gateway.toml (upstream, advertised_host), then: systemctl restart gateway"
