"""What CloudFormation does with a template before it creates anything: the SAM transform,
parameters, rules, conditions and intrinsic functions.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

Json = dict[str, Any]
NO_VALUE = object()


class TemplateError(Exception):
    """CloudFormation would refuse the template or its parameters."""


class _ManagedPolicies:
    """Names of AWS managed policies that SAM may look up: none are used by name."""

    def load(self) -> dict[str, str]:
        return {}


def read(text: str) -> Json:
    """Return a SAM template's content, with the long names of intrinsic functions."""
    template: Json = yaml_parse(text)
    return template


def translate(template: Json, region: str) -> Json:
    """Return the CloudFormation template that the SAM transform makes of it."""
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION=region):  # asked for by the translator
        os.environ.pop("AWS_PROFILE", None)
        translated: Json = transform(template, {}, _ManagedPolicies())
    return translated


def parameter_values(template: Json, given: Mapping[str, str]) -> Json:
    """Return the value of every parameter.

    Raises:
        TemplateError: One is unknown, missing, or not what the template allows.
    """
    declared: Mapping[str, Json] = template.get("Parameters", {})
    if unknown := given.keys() - declared.keys():
        raise TemplateError(f"unknown parameters: {sorted(unknown)}")
    return {name: _value(name, declared[name], given.get(name)) for name in declared}


def _value(name: str, declaration: Json, given: str | None) -> str | list[str]:
    if given is None and "Default" not in declaration:
        raise TemplateError(f"{name}: a value is needed")
    text = str(declaration["Default"] if given is None else given)
    allowed = [str(value) for value in declaration.get("AllowedValues", [text])]
    pattern = declaration.get("AllowedPattern", ".*")
    if text not in allowed or not re.fullmatch(pattern, text, re.DOTALL):
        raise TemplateError(f"{name}: {text!r} is not allowed")
    if declaration["Type"] == "Number":
        low, high = declaration.get("MinValue", "-inf"), declaration.get("MaxValue", "inf")
        if not float(low) <= float(text) <= float(high):
            raise TemplateError(f"{name}: {text} is not between {low} and {high}")
    return text.split(",") if declaration["Type"] == "CommaDelimitedList" else text


class Resolver:
    """Evaluates the intrinsic functions of a template.

    Args:
        template: What `translate` returned.
        values: Of the pseudo parameters and the parameters.
        reference: Returns what `Ref` gives for a resource.
        attribute: Returns what `Fn::GetAtt` gives for a resource and an attribute.
    """

    def __init__(
        self,
        template: Json,
        values: Mapping[str, Any],
        reference: Callable[[str], str],
        attribute: Callable[[str, str], str],
    ) -> None:
        self._template = template
        self._values = {"AWS::NoValue": NO_VALUE, **values}
        self._reference = reference
        self._attribute = attribute
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": lambda argument: self._join(*self.resolve(argument)),
            "Fn::Split": lambda argument: self._split(*self.resolve(argument)),
            "Fn::Select": lambda argument: self._select(*self.resolve(argument)),
            "Fn::FindInMap": lambda argument: self._find_in_map(*self.resolve(argument)),
            "Fn::Base64": lambda text: base64.b64encode(self.resolve(text).encode()).decode(),
            "Fn::Equals": lambda argument: self._equals(*self.resolve(argument)),
            "Fn::Not": lambda argument: not self.resolve(argument)[0],
            "Fn::And": lambda argument: all(self.resolve(argument)),
            "Fn::Or": lambda argument: any(self.resolve(argument)),
        }

    def resolve(self, value: Any) -> Any:
        """Return the value with every function evaluated and what has no value left out."""
        match value:
            case dict() if len(value) == 1 and next(iter(value)) in self._functions:
                [(function, argument)] = value.items()
                return self._functions[function](argument)
            case dict():
                if unknown := [name for name in value if name.startswith("Fn::")]:
                    raise TemplateError(f"{unknown[0]} is not simulated")
                resolved = {name: self.resolve(part) for name, part in value.items()}
                return {name: part for name, part in resolved.items() if part is not NO_VALUE}
            case list():
                return [part for part in map(self.resolve, value) if part is not NO_VALUE]
            case _:
                return value

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        return bool(self.resolve(self._template["Conditions"][name]))

    def check_rules(self) -> None:
        """Raise a TemplateError when a rule of the template is broken."""
        for rule in self._template.get("Rules", {}).values():
            if self.resolve(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self.resolve(assertion["Assert"]):
                        raise TemplateError(assertion["AssertDescription"])

    def _ref(self, name: str) -> Any:
        return self._values[name] if name in self._values else self._reference(name)

    def _get_att(self, argument: Any) -> str:
        parts = argument if isinstance(argument, list) else argument.split(".", 1)
        return self._attribute(*parts)

    def _sub(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})
        local = {name: self.resolve(value) for name, value in names.items()}

        def replacement(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in local:
                return str(local[name])
            if "." in name:
                return str(self._get_att(name))
            return str(self._ref(name))

        return re.sub(r"\$\{([^{}]+)\}", replacement, text)

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self.resolve(then if self.condition(condition) else otherwise)

    def _find_in_map(self, name: str, *keys: str) -> Any:
        value = self._template["Mappings"][name]
        for key in keys:
            value = value[key]
        return value

    @staticmethod
    def _join(separator: str, parts: list[Any]) -> str:
        return separator.join(map(str, parts))

    @staticmethod
    def _split(separator: str, text: str) -> list[str]:
        return text.split(separator)

    @staticmethod
    def _select(index: Any, parts: list[Any]) -> Any:
        return parts[int(index)]

    @staticmethod
    def _equals(left: Any, right: Any) -> bool:
        return str(left) == str(right)  # parameters are texts to CloudFormation
