"""Mutation of the rules: each small change to them must make some test fail. `make mutate` tries them all."""
