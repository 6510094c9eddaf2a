"""What developers run besides the tests: generators of pages that must not be written by hand."""
