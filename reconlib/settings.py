"""What people write by hand: params of a book, and where its secrets come from.

Unknown keys are errors. Secrets come from the environment, a ``.env`` beside the params, or the OS keyring; never from params.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from reconlib.errors import AuthenticationError, DataError, SettingsError, nearest
from reconlib.money import FINE_SCALE, to_decimal
from reconlib.period import Period, parse_period

LEDGER_VARIABLE = "RECON_LEDGER"  # the ledger's address, password and all, where params say ``ledger: env``
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PASSWORD = re.compile(r"[^:/]+://[^:/]*:[^@]*@")  # as SQLAlchemy finds one in an address


def _quoted(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"YAML read this as {value!r}; put it in quotes")
    return value


def _slug(value: object) -> object:
    _quoted(value)
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} names a folder: use a-z, 0-9, '-' and '_' only")
    return value


def _money(value: object) -> object:
    _quoted(value)
    try:
        usable = not isinstance(value, str) or (Decimal(value).is_finite() and Decimal(value) >= 0)
    except InvalidOperation:
        usable = False
    if not usable:
        raise ValueError(f'{value!r} is no amount of money: write it as "25.00", not below zero')
    return value


def _rate(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f"YAML read this as a binary float; write '{value}' in quotes")
    try:
        return to_decimal(value, scale=FINE_SCALE)
    except DataError as error:
        raise ValueError(error.what) from None


def _day(value: object) -> object:
    if isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no day: write it as 2026-10-31")
    return value


def _without_password(value: object) -> object:
    """The ledger's address, unless it holds a secret; its words are never repeated."""
    _quoted(value)
    if isinstance(value, str):
        options = {name.lower() for name, _ in parse_qsl(value.partition("?")[2], keep_blank_values=True)}
        if _PASSWORD.match(value) or options & {"password", "sslpassword"}:
            raise ValueError(f"a password never stands in params: write 'ledger: env' and put the whole address into {LEDGER_VARIABLE}")
    return value


Text = Annotated[str, BeforeValidator(_quoted)]
Slug = Annotated[str, BeforeValidator(_slug)]
Money = Annotated[str, BeforeValidator(_money)]
Day = Annotated[date, BeforeValidator(_day)]
Currency = Annotated[str, BeforeValidator(_quoted), Field(pattern=r"^[A-Z]{3}$")]  # ISO 4217
LedgerAddress = Annotated[str, BeforeValidator(_without_password)]


class Strict(BaseModel):
    """Something people write: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """One feed of the book: which connector reads it and where."""

    connector: Text
    base_url: Text | None = None  # null: the vendor's public address
    token_url: Text | None = None  # where the vendor's differs; may hold {tenant}
    credentials: Text | None = None  # prefix of the environment names: CW -> CW_COMPANY, …
    path: Text | None = None  # file connector: path or pattern, relative to the working folder
    profile: Text | None = None  # file connector: params/profiles/….yaml
    accounts_per_client: Literal["one", "many"] = "many"  # one: two accounts mapped to one client are a contradiction


class Sandbox(Strict):
    """The made-up MSP a demo book is read from; a real book has none."""

    seed: int = 7
    clients: int = Field(default=40, ge=8)


class Rate(Strict):
    """What one unit of a currency is in another, as a person recorded it: which day, read where (T98). Never a live rate."""

    from_currency: Currency = Field(alias="from")
    to_currency: Currency = Field(alias="to")
    rate: Annotated[Decimal, BeforeValidator(_rate), Field(gt=0)]
    day: Day = Field(alias="date")
    source: Text


class Params(Strict):
    """One book: whose month, from which sources, under which rules."""

    book: Slug
    period: Text = "last"
    as_of: Text | None = None  # null: last day of the period
    currency: Currency = "USD"
    rates: list[Rate] = Field(default_factory=list)  # for the MSP's cost in a client's currency; none: not compared
    workspace: Text | None = None  # null: .recon/<book>
    ledger: LedgerAddress | None = None  # null: SQLite in the workspace; env: what RECON_LEDGER holds
    archive: Text = "reports"
    rules: list[Text] = Field(default_factory=list)
    aliases: list[Text] = Field(default_factory=list)  # own tables of product names and ids, beside the packaged one
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: Annotated[str, Field(pattern=r"^(local\[(\d+|\*)\]|(spark|sc)://\S+)$")] = (
        "local[2]"  # engine spark: where; sc:// is Spark Connect
    )
    memory_limit: Annotated[str, Field(pattern=r"^[0-9]+(MB|GB)$")] | None = (
        None  # engine duckdb: never more; what does not fit goes to disk
    )
    materiality: Money = "0.00"  # money a month above which every finding must be decided before signing
    mapping_as_of: dict[Text, Text] = Field(default_factory=dict)  # month: the later month whose mapping decisions it is run with (T31)
    sources: dict[Slug, Source]
    sandbox: Sandbox | None = None

    @field_validator("rates")
    @classmethod
    def _one_rate_a_pair(cls, rates: list[Rate]) -> list[Rate]:
        seen: dict[tuple[str, str], int] = {}
        for number, rate in enumerate(rates):
            pair = (rate.from_currency, rate.to_currency)
            if rate.from_currency == rate.to_currency:
                raise ValueError(f"rates.{number} is from {pair[0]} to itself; take it out")
            if pair in seen:
                raise ValueError(f"{pair[0]} to {pair[1]} stands twice, as rates.{seen[pair]} and rates.{number}; keep one")
            seen[pair] = number
        return rates

    @field_validator("mapping_as_of")
    @classmethod
    def _later_mapping(cls, months: dict[str, str]) -> dict[str, str]:
        for month, later in months.items():
            try:
                mended = parse_period(later) > parse_period(month)
            except SettingsError as error:
                raise ValueError(error.what) from None
            if not mended:
                raise ValueError(f"{later} is not after {month}: a month knows its own decisions and those before it already")
        return months

    @property
    def workspace_dir(self) -> Path:
        """Folder of snapshots, stage products and ledger."""
        return Path(self.workspace or f".recon/{self.book}")


_M = TypeVar("_M", bound=BaseModel)
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's where it is there: a tenth of the time


class _RepeatedKey(yaml.MarkedYAMLError):
    """A key that stands twice in one mapping."""


class _Strict(_SafeLoader):  # type: ignore[misc]  # one of two, by what is installed
    """YAML that drops nothing: of a key that stands twice, YAML keeps the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - as PyYAML calls it
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            if (key.tag, key.value) in seen:
                raise _RepeatedKey(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add((key.tag, key.value))
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made


def read_yaml(path: str | Path, model: type[_M]) -> _M:
    """One file people wrote, as its model.

    Raises:
        SettingsError: missing, not YAML, or any key or value wrong; every fault at once, with its key.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_Strict)  # noqa: S506 - a safe loader
    except OSError as error:
        raise SettingsError(f"cannot read {path}", where=str(path), hint=error.strerror or "check the path") from error
    except _RepeatedKey as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise SettingsError(str(error.problem), where=f"{path} line {line}", hint="YAML would drop the first of them: keep one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError("not YAML", where=str(path), hint=" ".join(str(error).split())) from error
    if not isinstance(content, dict):
        raise SettingsError("holds no keys", where=str(path), hint=f"start with one of: {', '.join(model.model_fields)}")
    return parse(content, model, where=str(path))


def parse(content: Mapping[str, Any], model: type[_M], *, where: str) -> _M:
    """Checked values of one hand-written mapping.

    Raises:
        SettingsError: every wrong key and value at once.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_fault(item, model) for item in error.errors()]
        raise SettingsError("\n".join(faults), where=where, hint="mend these keys; params/example.yaml shows them all") from None


def _fault(item: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key; {nearest(str(item['loc'][-1]), _fields(model, item['loc'][:-1]))}"
    said = item["msg"].removeprefix("Value error, ")
    return f"{key}: {said}" if key else str(said)  # a fault of several keys together names them itself


def _fields(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation if field else None)
        model = inner or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_in(part) for part in getattr(annotation, "__args__", ())]
    return next((model for model in found if model), None)


def read_params(path: str | Path) -> Params:
    """Params of one book.

    Raises:
        SettingsError: the file or one of its keys is wrong.
    """
    return read_yaml(path, Params)


def billing_period(params: Params, period: str, today: Any) -> Period:
    """The month to run: the command line's, else the params'."""
    return parse_period(period or params.period, today=today)


def read_ledger_url(params: Params, workspace: Path, environ: Mapping[str, str]) -> str:
    """SQLAlchemy address of the ledger. It may hold a password: it is asked for where it is used, and kept nowhere.

    Raises:
        SettingsError: params say ``env``, and the environment says nothing.
    """
    if params.ledger != "env":
        return params.ledger or f"sqlite:///{workspace / 'ledger.sqlite'}"
    if not environ.get(LEDGER_VARIABLE, "").strip():
        hint = f"set {LEDGER_VARIABLE} in the environment or in .env, or take 'ledger: env' out of params"
        raise SettingsError(f"{LEDGER_VARIABLE} is not set, and params say the ledger's address stands there", where="ledger", hint=hint)
    return environ[LEDGER_VARIABLE].strip()


def read_credentials(prefix: str | None, fields: tuple[str, ...], environ: Mapping[str, str], *, source: str) -> dict[str, SecretStr]:
    """Secrets of one source, each from ``PREFIX_FIELD``, the file named by ``PREFIX_FIELD_FILE``, or the OS keyring.

    Raises:
        AuthenticationError: one is missing; names it, never its value.
    """
    found: dict[str, SecretStr] = {}
    missing = []
    for field in fields:
        name = f"{prefix}_{field}".upper() if prefix else field.upper()
        value = environ.get(name) or _from_file(environ.get(f"{name}_FILE"), source) or _from_keyring(name)
        if value:
            found[field] = SecretStr(value)
        else:
            missing.append(name)
    if missing:
        raise AuthenticationError(
            f"no value for {', '.join(missing)}",
            where=f"source {source}",
            hint="set it in the environment, in .env, as NAME_FILE, or in the keyring under service 'reconlib'",
        )
    return found


def _from_file(path: str | None, source: str) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationError(
            f"cannot read the secret file {path}", where=f"source {source}", hint="check its path and rights"
        ) from error


def _from_keyring(name: str) -> str | None:
    try:
        import keyring  # an extra; absent on a headless machine
    except ImportError:
        return None
    try:
        value: str | None = keyring.get_password("reconlib", name)
    except keyring.errors.KeyringError:
        return None
    return value


def read_environ(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment, filled up from ``.env`` in ``folder``; what is set already wins.

    Raises:
        SettingsError: ``.env`` cannot be read; never with what stands in it.
    """
    values: dict[str, str] = {}
    path = folder / ".env"
    if path.is_file():
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(".env cannot be read", where=str(path), hint="it must be text in UTF-8 that this user may read") from None
        for line in lines:
            name, found, value = line.strip().removeprefix("export ").partition("=")
            if found and not name.startswith("#"):
                values[name.strip()] = value.strip().strip("\"'")
    return {**values, **environ}
