module rivals/alcatraz

go 1.24

require github.com/hoophq/alcatraz v0.23.0
