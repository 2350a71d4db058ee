"""The project's own words and lists: what the pages, the command line and the install say must agree with the code."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from print_rules import read_table

import reconlib.rules as rules_module
from reconlib.demo import start_sandbox
from reconlib.explain import read_vendor_record
from reconlib.findings import KINDS, STATUSES
from reconlib.month import open_month
from reconlib.review import CAUSES, FINDING_DECISIONS, MAPPING_DECISIONS
from reconlib.rules import Rules, read_rules
from reconlib.schema import ACCOUNT_MAPPING, COMPARISON, FINDINGS, LINE_BUCKETS, RECORD_BUCKETS, TableSchema
from reconlib.settings import Strict, read_params
from reconlib.sync import sync_source

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT).as_posix() for folder in (".", "docs", "reports", "params/*") for path in sorted(ROOT.glob(f"{folder}/*.md"))
]


def words(schema: TableSchema, column: str) -> list[str]:
    """Values a column may take, from its description: "open, approved or dismissed" and the like."""
    about = next(c.about for c in schema.columns if c.name == column).removeprefix("a comparison status, or ")
    return [word for word in re.split(r", | or ", about.replace("_<why>", "")) if re.fullmatch(r"[a-z_]+", word)]


def glossary() -> list[str]:
    return re.findall(r"^\| `([a-z_/ ]+)` \|", (ROOT / "GLOSSARY.md").read_text("utf-8"), re.MULTILINE)


def locked() -> list[str]:
    return (ROOT / "constraints.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("schema", "column", "least"),
    [
        (FINDINGS, "status", 7),
        (COMPARISON, "status", 11),
        (LINE_BUCKETS, "bucket", 4),
        (RECORD_BUCKETS, "bucket", 11),
        (ACCOUNT_MAPPING, "state", 4),
    ],
)
def test_glossary_has_every_status_bucket_and_state(schema: TableSchema, column: str, least: int) -> None:
    named = words(schema, column)
    assert len(named) >= least
    assert set(named) - set(glossary()) == set()


def test_glossary_has_every_kind_cause_and_decision() -> None:
    assert {*KINDS, *STATUSES, *CAUSES, *FINDING_DECISIONS, *MAPPING_DECISIONS} - set(glossary()) == set()


def test_glossary_is_in_order_and_says_nothing_twice() -> None:
    assert glossary() == sorted(set(glossary()))


def test_constraints_are_bare_pins_in_order() -> None:
    names = [re.fullmatch(r"([a-z0-9][a-z0-9-]*)==[0-9][0-9a-z.]*", line) for line in locked()]
    assert all(names), [line for line, name in zip(locked(), names, strict=True) if not name]
    listed = [name[1] for name in names if name]
    assert listed == sorted(set(listed))


def test_constraints_hold_every_direct_dependency_at_an_allowed_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [Requirement(text) for text in [*project["dependencies"], *chain(*project["optional-dependencies"].values())]]
    pins = dict(line.split("==") for line in locked())
    for requirement in asked:
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), str(requirement)


def test_contributing_has_every_module_and_every_folder_of_tests() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    modules = {path.stem for path in (ROOT / "reconlib").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    table = re.findall(r"`(\w+)`", text[text.index("| layer |") : text.index("Pure stages take tables")])
    assert set(table) - {"recon"} == modules - {"__init__", "sandbox"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(r"`tests/(\w+)", text)) >= folders


@pytest.mark.parametrize("page", PAGES)
def test_files_that_pages_name_are_there(page: str) -> None:
    named = set(re.findall(r"\b(?:tests|reconlib|benchmarks)/[\w/]+\.(?:py|sql|csv|json)\b", (ROOT / page).read_text("utf-8")))
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_readme_names_every_command_and_no_other() -> None:
    from typer.main import get_command

    from reconlib.cli import app

    readme = (ROOT / "README.md").read_text("utf-8")
    commands = sorted(get_command(app).commands)
    assert "run" in commands
    assert [name for name in commands if f"recon {name}" not in readme] == []
    assert set(re.findall(r"recon ([a-z]+)", readme)) <= set(commands)


def test_readme_has_every_exit_code() -> None:
    from reconlib import errors

    codes = {str(v.exit_code) for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ReconError)} - {"1"}
    assert codes <= set(re.findall(r"^\| (\d) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))


def test_the_record_the_readme_names_is_the_one_the_demo_reads(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (name, address) = set(re.findall(r"  (FOXGL-WS\d+) .* (ninja/\w+/p\d+/r\d+)$", readme, re.MULTILINE)).pop()
    assert f"recon explain {address} params/demo.yaml --bytes" in readme
    month = start_sandbox(open_month(ROOT / "params" / "demo.yaml", "2026-10", environ={}))
    facts = {"snapshots_root": tmp_path, "root": tmp_path, "period": month.period, "as_of": month.as_of, "environ": month.environ}
    sync_source("ninja", month.params.sources["ninja"], **facts, now=month.now)
    assert f'"systemName": "{name}"' in read_vendor_record(tmp_path, address).text


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text("utf-8"))
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_links_are_looked_for_in_every_page() -> None:
    assert {"README.md", "docs/mapping.md", "reports/README.md", "params/exports/README.md"} <= set(PAGES)


def test_every_test_the_rules_table_names_is_there() -> None:
    rows = re.findall(r"^\| T(\d+) \|.*\| (.*)\|$", (ROOT / "docs/rules.md").read_text("utf-8"), re.MULTILINE)
    named = [(number, path) for number, paths in rows for path in re.findall(r"`([^`]+)`", paths)]
    assert {"1", "17", "131"} <= {number for number, _ in named}
    assert [(n, p) for n, p in named if not re.search(rf"def test_(\w+_)?t{n}_", (ROOT / p).read_text("utf-8"))] == []


def test_every_rule_of_the_field_is_in_force_or_left_out_with_a_reason_and_never_both() -> None:
    in_force, left = read_table()
    assert sorted([*in_force, *left]) == list(range(1, 132))
    assert [number for number, (text, files) in in_force.items() if not text or not files] == []
    assert [number for number, why in left.items() if len(why) < 20] == []


def test_the_page_on_writing_rules_shows_every_key_and_its_example_is_a_rule_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/writing_rules.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "rules.yaml").write_text(example, "utf-8")
    assert len(read_rules([tmp_path / "rules.yaml"]).services) == 10
    shown = set(re.findall(r"([a-z_]+):", example))
    models = [m for m in vars(rules_module).values() if isinstance(m, type) and issubclass(m, Strict)]
    assert {name for model in models for name in model.model_fields} - shown == set()


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda path: path.name)
def test_params_parse_and_what_they_name_exists(path: Path) -> None:
    params = read_params(path)
    rules = read_rules(ROOT / name for name in params.rules)
    assert isinstance(rules, Rules)
    profiles = [ROOT / source.profile for source in params.sources.values() if source.profile]
    assert [str(profile) for profile in profiles if not yaml.safe_load(profile.read_text("utf-8"))] == []


def test_the_params_the_readme_names_are_there() -> None:
    assert {"demo.yaml", "example.yaml", "files.yaml"} <= {path.name for path in (ROOT / "params").glob("*.yaml")}


def test_every_module_above_the_sandbox_is_kept_from_it() -> None:
    """Layers let a higher module import a lower one; that no stage reads the labels is a list of its own, and a new module must be on it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    above = {name for layer in layers[: layers.index("sandbox")] for name in re.findall(r"\w+", layer)} - {"cli", "demo"}
    kept = next(c["source_modules"] for c in contracts if c.get("forbidden_modules") == ["reconlib.sandbox"])
    assert {name.removeprefix("reconlib.") for name in kept} == above
