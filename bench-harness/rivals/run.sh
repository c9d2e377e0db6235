#!/usr/bin/env bash
# usage: run.sh [COUNT [SEED]]
#
# The gateway, alcatraz and Presidio over the same generated records: precision and recall of each type that they share. Then
# what each of them, DataDog's scanner and three naive ones spend on these records and on telemetry: the median of three turns.
# Needs cargo, go and python3 with venv; the first run installs the rivals into target/rivals. GATEWAY=FILE takes a gateway that is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${CARGO_TARGET_DIR:-$root/target}/rivals
count=${1:-4000} seed=${2:-2}

mkdir -p "$work"
[ -x "$work/python/bin/python" ] || python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
(cd "$here/alcatraz" && go build -o "$work/alcatraz" .)
cargo build --quiet --release --manifest-path "$here/datadog/Cargo.toml" --target-dir "$work/datadog"
if [ -z "${GATEWAY:-}" ]; then
    (cd "$root" && cargo build --release --bin gateway)
    GATEWAY=${CARGO_TARGET_DIR:-$root/target}/release/gateway
fi

cd "$work"
python/bin/python "$here/records.py" "$count" "$seed" >records.jsonl
"$GATEWAY" scan --policy "$root/policies/default.toml" --jsonl-field payload records.jsonl >gateway.jsonl
./alcatraz <records.jsonl >alcatraz.jsonl
python/bin/python "$here/presidio.py" <records.jsonl >presidio.jsonl
python/bin/python "$here/judge.py" records.jsonl gateway=gateway.jsonl alcatraz=alcatraz.jsonl presidio=presidio.jsonl

bench() { (cd "$root" && cargo xtask bench --classify -- "$@"); }

# What each scanner spends on the records of a file.
speed() {
    for _ in 1 2 3; do
        bench --rounds 5 --records "$work/$1"
        datadog/release/datadog <"$1"
        for types in all six; do
            ./alcatraz $types <"$1" 2>&1 >/dev/null
            python/bin/python "$here/presidio.py" $types <"$1" 2>&1 >/dev/null
        done
    done | python/bin/python "$here/speed.py"
}

bench --write "$work/telemetry.jsonl"
for records in records telemetry; do
    echo && echo "$records:" && speed $records.jsonl
done
