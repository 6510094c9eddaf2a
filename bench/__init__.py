"""The benchmark: `make bench`. What the hub does on this machine, beside what the machine could do."""
