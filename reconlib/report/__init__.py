"""From executed notebook to a report that opens anywhere."""
