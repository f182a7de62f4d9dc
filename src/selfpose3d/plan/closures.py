"""The code that a result depends on: the modules that its step imports, and hashes of them.

A step names where its code begins, its *roots*: modules (``selfpose3d.methods.joined``), or single
definitions of a module that holds more than this step (``selfpose3d.pipeline:label_sequences``
stands for that function and what it uses of its own module). Its *closure* is the roots and all
modules of the package that they import, anywhere in them, and so on. Names are followed to where
they are defined:

- ``from a.b import c`` depends on the module ``a.b.c`` if there is one, on ``a.b`` otherwise.
- An ``__init__`` that only re-exports is itself part of the closure, and of what it imports only
  what is asked of it. It is part of it with all its imports where a name can't be told: after
  ``import a.b`` or ``from a import b``, if ``a.b`` is such a package.
- Any other ``__init__`` above a module runs before it, and is part of the closure if it has code.
- Modules that can't change a result are left out by name, with the reason, and are not followed.
- What a text names (``importlib``) is not seen: such a module has to be a root itself.

A hash is of the syntax tree: comments, layout, docstrings, other text that stands alone and
``pass`` don't count; names, annotations and the order of imports do. Python's versions agree on it.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from selfpose3d.errors import InputError

Package = Mapping[str, ast.Module]
"""The modules of a package by their full names: syntax trees without what doesn't count."""


def read_package(folder: Path) -> Package:
    """All modules of the package in a folder that has the package's name.

    Raises:
        SyntaxError: a module is not valid Python.
    """
    paths = sorted(folder.rglob("*.py"))
    return {_name(path, folder): _bare(path.read_text(encoding="utf-8")) for path in paths}


def closures_of(
    roots: Mapping[str, Iterable[str]], package: Package, left_out: Collection[str]
) -> dict[str, set[str]]:
    """For each kind of node, the roots of its step and all that they import.

    Args:
        roots: of each kind: full names of modules, or ``module:name`` for a single definition.
        package: all modules.
        left_out: full names of modules; that of a package stands for everything in it, with
            ``.__init__`` for its own module alone.

    Raises:
        InputError: there is no such root, or a module imports by a relative name.
    """

    @cache
    def imports(name: str) -> set[str]:
        return {each for each in _imports(name, package) if not _is_in(each, left_out)}

    return {kind: _reached(names, imports) for kind, names in roots.items()}


def _reached(roots: Iterable[str], imports: Callable[[str], set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = set(roots)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= imports(name) - reached
    return reached


def digest_of(name: str, package: Package) -> str:
    """A short hash of the code of a module, or of a ``module:name``.

    Raises:
        InputError: there is no such module, or nothing of that name in it.
    """
    return sha256(_written(_tree(name, package)).encode()).hexdigest()[:10]


def path_of(name: str, folder: Path) -> Path:
    """The file of a module, or of a ``module:name``, in the package's folder."""
    path = folder.parent.joinpath(*name.partition(":")[0].split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _name(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _bare(source: str) -> ast.Module:
    tree: ast.Module = _Bare().visit(ast.parse(source))
    return tree


class _Bare(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node

    def visit_Pass(self, node: ast.Pass) -> None:
        return None


def _written(node: object) -> str:
    """A tree as text. ``ast.dump`` writes what is empty differently from version to version."""
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({','.join(f'{name}={_written(of)}' for name, of in fields)})"


def _tree(name: str, package: Package) -> ast.Module:
    """The code of a module; of a ``module:name``, what that definition uses of its module."""
    module, _, definition = name.partition(":")
    if module not in package:
        raise InputError(f"{name}: there is no module {module}; name one that is there")
    return _used(name, definition, package[module]) if definition else package[module]


def _used(name: str, definition: str, tree: ast.Module) -> ast.Module:
    bound = [(binds, statement) for top in tree.body for binds, statement in _bindings(top)]
    used, waiting = set[str](), {definition}
    while waiting:
        used |= waiting
        chosen = [statement for binds, statement in bound if binds & used]
        if not chosen:
            raise InputError(f"{name}: its module defines no {definition}; name what it defines")
        nodes = (node for statement in chosen for node in ast.walk(statement))
        waiting = {node.id for node in nodes if isinstance(node, ast.Name)} - used
    return ast.Module(body=chosen, type_ignores=[])


def _bindings(top: ast.stmt) -> Iterator[tuple[set[str], ast.stmt]]:
    """The names that a statement of a module binds; for imports, alias by alias."""
    if isinstance(top, ast.ImportFrom):
        for alias in top.names:
            single = ast.ImportFrom(module=top.module, names=[alias], level=top.level)
            yield {alias.asname or alias.name}, single
    elif isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield {top.name}, top
    else:
        yield _bound(top), top


def _bound(top: ast.stmt) -> set[str]:
    """What a statement binds; what it speaks of, where it only changes things (``a.b = c``)."""
    nodes = list(ast.walk(top))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    aliases = [alias for node in imports for alias in node.names]
    bound = {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
    bound |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return bound or {node.id for node in names}


def _imports(name: str, package: Package) -> set[str]:
    """The modules of the package that a module imports, and the packages with code above them."""
    tree = _tree(name, package)
    if _only_exports(name, package):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(*(_whole(alias.name, package) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise InputError(f"{name}: a relative import; write the module's full name")
            found.update(*(_defining(node.module, alias.name, package) for alias in node.names))
    above = {outer for each in found | {name} for outer in _above(each)} - {name}
    return found | {each for each in above if _has_code(each, package)}


def _defining(module: str, name: str, package: Package) -> set[str]:
    """Where ``from module import name`` leads to."""
    if name == "*":
        return _whole(module, package)
    if f"{module}.{name}" in package:
        return _whole(f"{module}.{name}", package)
    if not _only_exports(module, package):
        return {module} & set(package)
    sources = [
        (node.module, alias.name)
        for node in package[module].body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if (alias.asname or alias.name) == name
    ]
    return {module}.union(*(_defining(*source, package) for source in sources))


def _whole(module: str, package: Package) -> set[str]:
    """A module, with all that it re-exports if that is what it is for."""
    if not _only_exports(module, package):
        return {module} & set(package)
    exports = [node for node in package[module].body if isinstance(node, ast.ImportFrom)]
    names = [(node.module or "", alias.name) for node in exports for alias in node.names]
    return {module}.union(*(_defining(*each, package) for each in names))


def _only_exports(module: str, package: Package) -> bool:
    """Whether a package's ``__init__`` has no code but imports and the like of ``__all__``."""
    is_package = any(name.startswith(f"{module}.") for name in package)
    return is_package and module in package and not _has_code(module, package)


def _has_code(module: str, package: Package) -> bool:
    """Whether a module does more than import and set the like of ``__all__``, ``__version__``."""
    return module in package and not all(map(_is_export, package[module].body))


def _is_export(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return all(getattr(target, "id", "").startswith("__") for target in statement.targets)
    return isinstance(statement, ast.ImportFrom)


def _above(name: str) -> list[str]:
    """The packages around a module."""
    parts = name.partition(":")[0].split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_in(name: str, left_out: Collection[str]) -> bool:
    """Whether a module is left out: by its name, by that of a package around it, or, where only
    ``package.__init__`` is named, as that package's own module."""
    named = (name, f"{name}.__init__")
    return any(each in named or name.startswith(f"{each}.") for each in left_out)
