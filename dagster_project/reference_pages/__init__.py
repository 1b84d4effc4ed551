"""The reference pages of the documentation: what the code says of itself, as Markdown.

Each module writes one page; `python -m dagster_project.reference_pages FOLDER` writes them all.
"""
