module mlopsctl/tests/cluster

go 1.26.0
