"""The parts of the benchmark: servers, targets, loads, cells, and what is made of their figures."""
