"""Every reason by which the code can park or ignore a message, read from its source: the mailbox's scripts and the Python around them.

A script says by itself which of its arguments are reasons; from there the Python is followed backwards: who calls, with which value, from
which variable, return value, field or dict. What cannot be followed raises, so that a reason of a new kind is never overlooked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("shared", "bridge", "webhook_api", "supervisor_worker")
CALLS = "shared/mailbox/calls/turns.py"
MAILBOX = "shared/mailbox/"
SCRIPTS = ROOT / "shared" / "mailbox" / "lua"
ENDING = re.compile(r"\b(settle_message|close_turn|finish_turn|Outgoing\.refuse)\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
NOTED = re.compile(r"'state', '(?:ignored|parked)', 'reason', ([\w']+)")
LITERAL = re.compile(r"'([a-z_]+)'")


class NotFollowed(Exception):
    """A value that the collector does not understand; it names the place."""


@dataclass(frozen=True)
class Found:
    """The reasons that scripts name themselves, and the arguments by which others come: script to the argument's names."""

    named: set[str]
    given: dict[str, set[str]]


def of_scripts() -> Found:
    """Read the mailbox's scripts."""
    found = Found(set(), {})
    for path in sorted(SCRIPTS.glob("*.lua")):
        code = re.sub(r"--[^\n]*", "", path.read_text())
        for expression in _ends_of(code):
            if expression.startswith("'"):
                found.named.add(expression.strip("'"))
                continue
            for assigned in re.findall(rf"(?<![\w.]){expression}\s*=(?!=)([^\n]*)", code):
                found.named.update(_assigned(assigned, code, path.name))
            if expression not in ("reason", "verdict"):
                raise NotFollowed(f"{path.name}: a message ends by {expression}")
            if re.search(rf"^-- args:(?:.*\n-- )*?.*\b{expression}\b", path.read_text(), re.MULTILINE):
                found.given.setdefault(path.stem, set()).add(expression)
    return Found(found.named - {""}, found.given)


def _assigned(expression: str, code: str, name: str) -> set[str]:
    """The texts that a line of a script may assign: its own, or those that the function which it calls returns."""
    called = re.match(r"\s*(\w+)\(\)", expression)
    body = re.search(rf"\bfunction {called[1]}\(.*?\nend\b", code, re.DOTALL) if called else None
    texts = body and " ".join(re.findall(r"\breturn\b([^\n]*)", body[0]))
    words = set(re.findall(r"(?<!= )'([a-z_]*)'", texts or expression))
    if not words:
        raise NotFollowed(f"{name}: {expression.strip()}")
    return words


def _ends_of(code: str) -> Iterator[str]:
    """What stands for the reason wherever a script gives a message or a turn its last state, unless that is `answered`."""
    for match in ENDING.finditer(code):
        words = [word.strip() for word in re.split(r",(?![^()]*\))", match[2])]
        if code[: match.start()].endswith("function "):
            continue
        at = {"settle_message": 3, "Outgoing.refuse": 0}.get(match[1], 2)
        if words[at] not in ("'answered'", "'handed_over'"):
            yield words[at + 1]
    for match in NOTED.finditer(code):
        yield match[1]


@dataclass(frozen=True, eq=False)
class Function:
    """A function and the module that it stands in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    module: Module
    method: bool


@dataclass(eq=False)
class Module:
    """A source file."""

    name: str
    tree: ast.Module
    known: dict[str, str] = field(default_factory=dict)
    """The names of modules, functions and classes, each with the file that it comes from."""

    def file_of(self, called: ast.expr) -> str:
        """The file that a called name comes from; '' for a method of something."""
        if isinstance(called, ast.Name):
            return self.known.get(called.id, "?")
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            return self.known.get(called.value.id, "")
        return ""


Seen = frozenset[tuple[str, int]]
Calling = tuple[ast.Call, Function | None, Module]


class Sources:
    """All modules of the product, with what is called where."""

    def __init__(self) -> None:
        self.modules: dict[str, Module] = {}
        self.functions: dict[str, list[Function]] = {}
        self.classes: dict[str, list[tuple[ast.ClassDef, Module]]] = {}
        self.calls: dict[str, list[Calling]] = {}
        for package in PACKAGES:
            for path in sorted((ROOT / package).rglob("*.py")):
                module = Module(str(path.relative_to(ROOT)), ast.parse(path.read_text()))
                self.modules[module.name] = module
                self._read(module.tree, None, module, method=False)

    def _read(self, node: ast.AST, within: Function | None, module: Module, *, method: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within = Function(node, module, method)
            self.functions.setdefault(node.name, []).append(within)
            if not method:
                module.known[node.name] = module.name
        elif isinstance(node, ast.ClassDef):
            self.classes.setdefault(node.name, []).append((node, module))
            module.known[node.name] = module.name
        elif isinstance(node, ast.ImportFrom):
            path = str(node.module).replace(".", "/")
            for alias in node.names:
                module.known[alias.asname or alias.name] = _file(f"{path}/{alias.name}") or _file(path) or f"{path}.py"
        elif isinstance(node, ast.Call):
            self.calls.setdefault(_last_name(node.func), []).append((node, within, module))
        for child in ast.iter_child_nodes(node):
            self._read(child, within, module, method=isinstance(node, ast.ClassDef))

    def given(self, arguments: dict[str, set[str]]) -> set[str]:
        """The reasons that are given to scripts: in each call of a maker of `Call(script, ...)`."""
        found: set[str] = set()
        for makers in self.functions.values():
            for maker in makers:
                names = arguments.get(_script_of(maker)) if maker.module.name.startswith(MAILBOX) else None
                for key, value in _dict_items(maker.node) if names else ():
                    if names and key in names:
                        found |= self.values(value, maker, frozenset())
        return {reason for reason in found if reason}

    def values(  # noqa: C901, PLR0911 - a branch for each kind of expression
        self, node: ast.expr, within: Function | None, seen: Seen, module: Module | None = None
    ) -> set[str]:
        """Every text that an expression can be; a part that only a provider knows is `*`. Raises NotFollowed."""
        module = within.module if within else module
        assert module is not None
        mark = (ast.dump(node), id(within))
        if mark in seen:
            return set()
        seen |= {mark}
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.Constant(value=None):
                return set()
            case ast.JoinedStr(values=parts):
                return {"".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)}
            case ast.IfExp(body=first, orelse=second):
                return self.values(first, within, seen, module) | self.values(second, within, seen, module)
            case ast.BoolOp(values=several):
                return set().union(*(self.values(each, within, seen, module) for each in several))
            case ast.Await(value=inner) | ast.NamedExpr(value=inner):
                return self.values(inner, within, seen, module)
            case ast.Name(id=name):
                return self._of_name(name, within, seen, module)
            case ast.Attribute(attr=name):
                return self._of_field(node, name, within, seen, module)
            case ast.Call():
                return self._of_call(node, within, seen, module)
            case ast.Dict(keys=keys):
                return set().union(*(self.values(key, within, seen, module) for key in keys if key))
        raise NotFollowed(f"{module.name}:{node.lineno}: {ast.unparse(node)}")

    def _of_name(self, name: str, within: Function | None, seen: Seen, module: Module) -> set[str]:
        scope: ast.AST = within.node if within else module.tree
        found: set[str] = set()
        known = False
        for value, place in _bound(name, scope):
            known = True
            found |= self.values(value, within, seen, module) if place is None else self._part(value, place, within, seen, module)
        if within is not None and name in (parameters := _parameters(within.node)):
            known = True
            found |= self._of_parameter(within, name, parameters[name], seen)
        elif not known:
            for value, place in _bound(name, module.tree):
                known = True
                found |= self.values(value, None, seen, module) if place is None else set()
        if not known and (origin := self.modules.get(module.known.get(name, ""))) not in (None, module):
            return self._of_name(name, None, seen, origin)
        if not known:
            raise NotFollowed(f"{module.name}: nobody says what {name} is")
        return found

    def _of_parameter(self, function: Function, name: str, default: ast.expr | None, seen: Seen) -> set[str]:
        found = self.values(default, None, seen, function.module) if default is not None else set()
        for call, within, module in self.calls.get(function.node.name, ()):
            if function not in self._meant(call.func, module):
                continue
            value = _argument(call, list(_parameters(function.node)), name)
            if value is not None:
                found |= self.values(value, within, seen, module)
        return found

    def _of_field(self, node: ast.Attribute, name: str, within: Function | None, seen: Seen, module: Module) -> set[str]:
        """A field of one of the classes that the object may be of: whatever they are made with."""
        found: set[str] = set()
        known = False
        for each in sorted(self._kinds(node.value, within, module) & set(self.classes)):
            for definition, origin in self.classes[each]:
                if origin.name != module.known[each]:
                    continue
                fields = [item for item in definition.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
                names = [item.target.id for item in fields if isinstance(item.target, ast.Name)]
                if name not in names:
                    continue
                known = True
                if (default := fields[names.index(name)].value) is not None:
                    found |= self.values(default, None, seen, module)
                for call, inner, place in self.calls.get(each, ()):
                    if place.known.get(each) == origin.name and (value := _argument(call, names, name)) is not None:
                        found |= self.values(value, inner, seen, place)
        if not known:
            raise NotFollowed(f"{module.name}:{node.lineno}: {ast.unparse(node)}")
        return found

    def _kinds(self, node: ast.expr, within: Function | None, module: Module) -> set[str]:
        """The names of the classes that a value may be of: as it is asked, as it is annotated, or all that the module knows."""
        scope: ast.AST = within.node if within else module.tree
        asked: set[str] = set()
        annotated: set[str] = set()
        for inner in ast.walk(scope):
            if isinstance(inner, ast.Call) and _last_name(inner.func) == "isinstance" and ast.dump(inner.args[0]) == ast.dump(node):
                asked |= _names_in(inner.args[1])
            elif isinstance(inner, ast.arg) and isinstance(node, ast.Name) and inner.arg == node.id and inner.annotation:
                annotated |= _names_in(inner.annotation)
        for value, _ in _bound(node.id, scope) if isinstance(node, ast.Name) else ():
            called = value.value if isinstance(value, ast.Await) else value
            for function in self._meant(called.func, module) if isinstance(called, ast.Call) else ():
                annotated |= _names_in(function.node.returns) if function.node.returns else set()
        return (asked or annotated or set(module.known)) & set(module.known)

    def _of_call(self, node: ast.Call, within: Function | None, seen: Seen, module: Module) -> set[str]:
        name = _last_name(node.func)
        if name == "next" and isinstance(node.args[0], ast.GeneratorExp):
            return set().union(*(self.values(each, within, seen, module) for each in (node.args[0].elt, *node.args[1:])))
        if not (returned := self._returned(node, module)):
            raise NotFollowed(f"{module.name}:{node.lineno}: {ast.unparse(node)}")
        return set().union(*(self.values(inner, function, seen) for inner, function in returned))

    def _meant(self, called: ast.expr, module: Module) -> list[Function]:
        """The functions that a call may mean."""
        origin = module.file_of(called)
        if handed_on := self.modules.get(origin):  # `calls` has what stands in modules of its own
            origin = handed_on.known.get(_last_name(called), origin)
        functions = self.functions.get(_last_name(called), ())
        return [each for each in functions if (each.method if not origin else each.module.name == origin and not each.method)]

    def _returned(self, node: ast.Call, module: Module) -> list[tuple[ast.expr, Function]]:
        """What a called function gives, each with the function."""
        return [
            (inner.value, function)
            for function in self._meant(node.func, module)
            for inner in ast.walk(function.node)
            if isinstance(inner, ast.Return) and inner.value is not None
        ]

    def _part(self, value: ast.expr, place: int, within: Function | None, seen: Seen, module: Module) -> set[str]:
        """One part of a pair: of a tuple, of what a function returns, or the key of a dict's items."""
        if isinstance(value, ast.IfExp):
            return self._part(value.body, place, within, seen, module) | self._part(value.orelse, place, within, seen, module)
        if isinstance(value, ast.Tuple):
            return self.values(value.elts[place], within, seen, module)
        if isinstance(value, ast.Call) and _last_name(value.func) == "items" and isinstance(value.func, ast.Attribute) and place == 0:
            return self.values(value.func.value, within, seen, module)
        if isinstance(value, ast.Call):
            returned = self._returned(value, module)
            return set().union(*(self._part(inner, place, function, seen, function.module) for inner, function in returned))
        raise NotFollowed(f"{module.name}:{value.lineno}: {ast.unparse(value)}")


def _file(path: str) -> str:
    """The file of a module or a package; '' where there is neither."""
    return next((found for found in (f"{path}.py", f"{path}/__init__.py") if (ROOT / found).exists()), "")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _script_of(function: Function) -> str:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call) and _last_name(node.func) == "Call" and node.args and isinstance(node.args[0], ast.Constant):
            return str(node.args[0].value)
    return ""


def _dict_items(scope: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Dict):
            yield from ((str(key.value), value) for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant))


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr | None]:
    """The names, without `self`, each with its default."""
    plain = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(node.args.defaults)), *node.args.defaults]
    found = {each.arg: default for each, default in zip(plain, defaults, strict=True) if each.arg not in ("self", "cls")}
    return found | {each.arg: default for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)}


def _argument(call: ast.Call, names: list[str], name: str) -> ast.expr | None:
    """What a call gives for a parameter; None when it leaves it out."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    place = names.index(name)
    return call.args[place] if place < len(call.args) else None


def _bound(name: str, scope: ast.AST) -> Iterator[tuple[ast.expr, int | None]]:
    """The values that a name gets in a scope, with its place where it is one of several."""
    for node in ast.walk(scope):
        pairs: Iterable[tuple[ast.expr, ast.expr]] = ()
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.comprehension | ast.For | ast.AsyncFor):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id == name:
                yield value, None
            elif isinstance(target, ast.Tuple):
                for place, each in enumerate(target.elts):
                    if isinstance(each, ast.Name) and each.id == name:
                        yield value, place


@cache
def sources() -> Sources:
    """Those of this checkout, read once."""
    return Sources()


def all_reasons() -> set[str]:
    """Every reason; those that hold a provider's own code as `*_*`."""
    scripts = of_scripts()
    return scripts.named | sources().given(scripts.given)
