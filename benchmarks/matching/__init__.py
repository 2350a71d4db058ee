"""How good suggested links are beside other tools, on public labelled data, and what they cost: ``make bench-matching``."""
