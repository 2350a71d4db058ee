"""What the stages' SQL becomes on Spark: every construct they use, word for word, so that a new sqlglot that says it otherwise shows here."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot

from reconlib.claims import split_view
from reconlib.engine import read_sql, spark_text
from reconlib.rules import Rules
from reconlib.settings import parse
from reconlib.traits import Condition, Traits, records_view

SAID = {
    "SELECT b.* EXCLUDE (client_id), m.qty FROM billed AS b FULL JOIN measured AS m ON m.client_id = b.client_id": (
        "SELECT b.* EXCEPT (client_id), m.qty FROM billed AS b FULL JOIN measured AS m ON m.client_id = b.client_id"
    ),
    "SELECT string_agg(evidence, ' ' ORDER BY evidence) AS said, bool_or(is_known) AS some FROM counts": (
        "SELECT LISTAGG(evidence, ' ') WITHIN GROUP (ORDER BY evidence NULLS LAST) AS said, BOOL_OR(is_known) AS some FROM counts"
    ),
    "SELECT string_agg(DISTINCT source, ' ' ORDER BY source) AS sources FROM count_specs": (
        "SELECT LISTAGG(DISTINCT source, ' ') WITHIN GROUP (ORDER BY source NULLS LAST) AS sources FROM count_specs"
    ),
    "SELECT row_number() OVER (PARTITION BY a ORDER BY day DESC NULLS LAST, qty DESC, cost NULLS LAST, code) AS place FROM t": (
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY day DESC, qty DESC, cost NULLS LAST, code NULLS LAST) AS place FROM t"
    ),
    "SELECT CAST(sum(qty) AS DECIMAL(18, 6)) AS qty, CAST(NULL AS VARCHAR) AS word FROM t WHERE day IS NOT DISTINCT FROM other": (
        "SELECT CAST(SUM(qty) AS DECIMAL(18, 6)) AS qty, CAST(NULL AS STRING) AS word FROM t WHERE day IS NOT DISTINCT FROM other"
    ),
    "SELECT greatest(least(qty, most), 0) AS qty, qty % block AS rest, (bits & 5) = 5 AS holds, hash(a, b) AS h FROM t": (
        "SELECT GREATEST(LEAST(qty, most), 0) AS qty, qty % block AS rest, (bits & 5) = 5 AS holds, HASH(a, b) AS h FROM t"
    ),
    "SELECT nullif(concat_ws(' ', CASE WHEN qty > 0 THEN 'some' END, word), '') AS said, length(word) AS size FROM t": (
        "SELECT NULLIF(CONCAT_WS(' ', CASE WHEN qty > 0 THEN 'some' END, word), '') AS said, LENGTH(word) AS size FROM t"
    ),
}


@pytest.mark.parametrize(("duckdb", "spark"), SAID.items())
def test_a_construct_of_the_stages_in_sparks_words(duckdb: str, spark: str) -> None:
    assert spark_text(sqlglot.parse_one(duckdb, read="duckdb")) == spark


def test_a_condition_in_sparks_words_with_a_field_and_values_as_vendors_write_them() -> None:
    odd = Condition("rule", {'os\'s "x".y': ["Mac\\n", "a'b"]}, {"unit_class": ["printer"]})
    traits = Traits([odd], {"rmm": frozenset([0])}, frozenset(odd.where), False, [date(2026, 10, 1)], date(2026, 10, 31), True, str)
    assert spark_text(records_view(traits, "records")) == (
        "SELECT *, CAST(0 AS BIGINT) + CASE WHEN TRY_ELEMENT_AT(FROM_JSON(attributes, 'MAP<STRING, STRING>'), 'os\\'s \"x\".y') IN "
        "('Mac\\\\n', 'a\\'b') AND NOT COALESCE(unit_class IN ('printer'), FALSE) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS passes, "
        "CASE WHEN last_seen_date < CAST('2026-10-01' AS DATE) THEN CAST(1 AS SMALLINT) ELSE CAST(0 AS SMALLINT) END AS stale_level, "
        "COALESCE(created_date > CAST('2026-10-31' AS DATE) OR usage_date > CAST('2026-10-31' AS DATE), FALSE) AS is_later, "
        "NOT unit_key IS NULL AS has_key FROM records"
    )


def test_a_split_tenant_in_sparks_words() -> None:
    split = {"source": "m'365", "account": "t", "by": "groups", "separator": ";", "parts": {"a": ["it's"]}}
    rules = parse(
        {"version": 1, "tenant_splits": [split, {**split, "by": "domain", "separator": None, "account": "u"}]}, Rules, where="test"
    )
    text = spark_text(split_view(rules, {("m'365", "t/a"), ("m'365", "u/a")}, {"groups"}))
    assert (
        "CASE WHEN source = 'm\\'365' AND vendor_account_id = 't' THEN CASE WHEN COALESCE((LOCATE('\\037it\\'s\\037', CONCAT('\\037', "
        "REGEXP_REPLACE(TRIM(TRY_ELEMENT_AT(FROM_JSON(attributes, 'MAP<STRING, STRING>'), 'groups')), '\\\\s*;\\\\s*', '\\037'), "
        "'\\037')) > 0), FALSE) THEN 't/a' ELSE vendor_account_id END"
    ) in text
    assert "CASE WHEN unit_name LIKE '%@%' THEN LOWER(TRIM(SPLIT_PART(unit_name, '@', -1))) END IN ('it\\'s') THEN 'u/a'" in text


@pytest.mark.parametrize("name", ["splits.sql", "counting.sql", "comparison.sql", "records.sql"])
def test_nothing_in_a_stage_is_without_words_on_spark(name: str) -> None:
    statements = sqlglot.parse(read_sql(name), read="duckdb")
    assert all(statement is not None and spark_text(statement.expression) for statement in statements)
