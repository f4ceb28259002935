"""The search index: a table beside the models, because neither engine's full text fits into a model.

Written by `instruments.actions.indexing`, read by `instruments.queries.search`; both engines get the same tokens.
No foreign key on PostgreSQL: tests empty all tables of models at once, and this is none.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SQLITE = """
CREATE VIRTUAL TABLE instruments_search USING fts5(
    name, technique, pinyin, body, tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3 4'
)
"""
POSTGRESQL = """
CREATE TABLE instruments_search (instrument_id bigint PRIMARY KEY, document tsvector NOT NULL);
CREATE INDEX instruments_search_document ON instruments_search USING gin (document);
"""


def create(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL)


def drop(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute("DROP TABLE instruments_search")


class Migration(migrations.Migration):
    dependencies = [("instruments", "0001_initial")]

    operations = [migrations.RunPython(create, drop)]
