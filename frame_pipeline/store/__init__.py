"""Where results live: one folder with a DuckLake catalog, Parquet tables and proxy pictures."""
