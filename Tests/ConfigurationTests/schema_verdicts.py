"""Says of YAML texts whether they are of a JSON Schema: JSON in, JSON out.

Standard input holds {"schema": …, "texts": […]}; the answer has for each text null where it is valid,
or why it is not. Scalars are typed by YAML 1.2's core schema, as editors do by default, where PyYAML
by itself follows YAML 1.1, to which `yes` is a truth value and `010` is eight.
"""

import json
import re
import sys

import jsonschema
import yaml


class CoreLoader(yaml.CSafeLoader):
    """Of YAML 1.2 without merge keys; keys are texts."""

    # Of its own, in place of those of YAML 1.1.
    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        mapping = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no scalar", key.start_mark)
            mapping[key.value] = self.construct_object(value, deep=True)
        return mapping


CORE = {
    "null": (r"~|null|Null|NULL|", "~nN", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "int": (
        r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789",
        lambda text: int(text, 0 if text[1:2] in ("o", "x") else 10)),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789", lambda text: float(re.sub(r"\.(?=[inIN])", "", text))),
}

for name, (pattern, firsts, convert) in CORE.items():
    tag = f"tag:yaml.org,2002:{name}"
    CoreLoader.add_implicit_resolver(
        tag, re.compile(f"^(?:{pattern})$"), list(firsts) + ([""] if name == "null" else []))
    CoreLoader.add_constructor(
        tag, lambda loader, node, convert=convert: convert(loader.construct_scalar(node)))


def construct_map(loader, node):
    return loader.construct_mapping(node)


CoreLoader.add_constructor("tag:yaml.org,2002:map", construct_map)


def verdict(validator, text):
    try:
        value = yaml.load(text, CoreLoader)
    except yaml.YAMLError as error:
        return f"not YAML: {error}"
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return error and f"{error.json_path}: {error.message[:200]}"


def main():
    request = json.load(sys.stdin)
    jsonschema.Draft7Validator.check_schema(request["schema"])
    validator = jsonschema.Draft7Validator(request["schema"])
    json.dump([verdict(validator, text) for text in request["texts"]], sys.stdout)


if __name__ == "__main__":
    main()
