"""How much the comparison costs beside the cheapest query, pandas, polars and Spark, on made-up books of any size: ``make bench``."""
