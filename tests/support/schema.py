"""A value against a JSON Schema, as far as docs/openapi.json uses it: type
(also a list), enum, const, properties, required, additionalProperties, items,
minItems, minimum, maximum, pattern, $ref into the same file. An unknown
keyword is an error, so that nothing is believed checked that is not."""
import re

KNOWN = {'type', 'enum', 'const', 'properties', 'required', 'items',
         'additionalProperties', 'minItems', 'minimum', 'maximum', 'pattern',
         '$ref', 'description', 'example'}
TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool,
         'null': type(None)}


def is_type(v, t):
    if t == 'integer':
        return isinstance(v, int) and not isinstance(v, bool)
    if t == 'number':
        return isinstance(v, (int, float)) and not isinstance(v, bool)
    return isinstance(v, TYPES[t])


def resolve(doc, ref):
    if not ref.startswith('#/'):
        raise ValueError('only references into the same file: ' + ref)
    for part in ref[2:].split('/'):
        doc = doc[part]
    return doc


def problems(v, schema, doc, where='$'):
    """List of what is wrong, empty when all is well."""
    odd = set(schema) - KNOWN
    if odd:
        raise ValueError('%s: unknown keywords %s' % (where, sorted(odd)))
    if '$ref' in schema:
        return problems(v, resolve(doc, schema['$ref']), doc, where)
    out = []
    types = schema.get('type', [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(v, t) for t in types):
        return ['%s: %r is no %s' % (where, v, ' or '.join(types))]
    if 'enum' in schema and v not in schema['enum']:
        out.append('%s: %r is none of %s' % (where, v, schema['enum']))
    if 'const' in schema and v != schema['const']:
        out.append('%s: %r is not %r' % (where, v, schema['const']))
    if is_type(v, 'number'):
        if v < schema.get('minimum', v) or v > schema.get('maximum', v):
            out.append('%s: %r is out of range' % (where, v))
    if isinstance(v, str) and not re.search(schema.get('pattern', ''), v):
        out.append('%s: %r is not like %s' % (where, v, schema['pattern']))
    if isinstance(v, dict):
        out += in_object(v, schema, doc, where)
    if isinstance(v, list):
        if len(v) < schema.get('minItems', 0):
            out.append('%s: %d items' % (where, len(v)))
        if 'items' in schema:
            for i, x in enumerate(v):
                out += problems(x, schema['items'], doc,
                                '%s[%d]' % (where, i))
    return out


def in_object(v, schema, doc, where):
    props, more = schema.get('properties', {}), schema.get(
        'additionalProperties', True)
    out = ['%s: no %s' % (where, k) for k in schema.get('required', [])
           if k not in v]
    for k, x in v.items():
        at = '%s.%s' % (where, k)
        if k in props:
            out += problems(x, props[k], doc, at)
        elif more is False:
            out.append('%s: is not documented' % at)
        elif isinstance(more, dict):
            out += problems(x, more, doc, at)
    return out
