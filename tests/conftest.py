"""Options of the whole test run, and the database some tests ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa

POSTGRES = os.environ.get("RECON_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what the golden books give as what is expected; check it by hand")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A schema of its own in a PostgreSQL that is there, gone afterwards."""
    schema = f"ledger_{uuid4().hex[:12]}"
    try:
        engine = sa.create_engine(POSTGRES, connect_args={"connect_timeout": 3}, isolation_level="AUTOCOMMIT")
        connection = engine.connect()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        pytest.skip(f"no PostgreSQL at {sa.make_url(POSTGRES).host} (RECON_TEST_POSTGRES names another): {type(error).__name__}")
    with connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()
