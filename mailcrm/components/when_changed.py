"""How a component of a list is kept as it is while what it shows stays the same."""

from reflex_base.utils.imports import ImportVar
from reflex_base.vars import FunctionStringVar, VarData

#: Each answer of the server makes new objects of all rows, so React's own look at whether they are the same objects would
#: render a whole list for one row that changed or was added.
_SAME = "was[name] === now[name] || (typeof now[name] === 'object' && JSON.stringify(was[name]) === JSON.stringify(now[name]))"
_MEMO = f"((Shown) => memo(Shown, (was, now) => Object.keys({{...was, ...now}}).every((name) => {_SAME})))"
#: Renders again only when a property holds something else.
WHEN_CHANGED = FunctionStringVar.create(_MEMO, _var_data=VarData(imports={"react": [ImportVar(tag="memo")]}))
