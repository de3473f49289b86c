"""Resource types of Lambda."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind, Unsupported, tags


class Function(Kind):
    service = "lambda"
    name = "FunctionName"
    unkept = frozenset({"Code", "LoggingConfig", "Publish"})

    def desired(self, properties: Json) -> Json:
        apart = ("RecursiveLoop",)  # an API of its own, which moto has not; nor does it stop loops
        asked = {name: value for name, value in properties.items() if name not in apart}
        return {**asked, "Tags": tags(properties)}

    def create(self, desired: Json) -> Created:
        function = self.call("create_function", **desired)
        return Created(function["FunctionName"], {"Arn": function["FunctionArn"]})

    def update(self, created: Created, desired: Json) -> Created:
        fixed = ("Code", "Tags", "Architectures")
        self.call(
            "update_function_configuration",
            **{name: value for name, value in desired.items() if name not in fixed},
        )
        return created

    def read(self, reference: str) -> Json:
        answer: Json = self.client.get_function(FunctionName=reference)
        function = answer["Configuration"]
        layers = [layer["Arn"] for layer in function.get("Layers", [])]
        return {**function, "Layers": layers, "Tags": answer.get("Tags", {})}


class LayerVersion(Kind):
    service = "lambda"
    name = "LayerName"
    unkept = frozenset({"Content"})

    def create(self, desired: Json) -> Created:
        return Created(self.call("publish_layer_version", **desired)["LayerVersionArn"])

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            raise LookupError(reference)
        *_, name, number = reference.split(":")
        version: Json = self.client.get_layer_version(LayerName=name, VersionNumber=int(number))
        return {**version, "LayerName": version["LayerArn"].rsplit(":", 1)[-1]}


class EventInvokeConfig(Kind):
    service = "lambda"
    unkept = frozenset({"Qualifier"})

    def desired(self, properties: Json) -> Json:
        if properties.get("Qualifier") != "$LATEST":
            raise Unsupported(f"qualifier of {properties}")
        return properties

    def create(self, desired: Json) -> Created:
        parameters = {name: value for name, value in desired.items() if name != "Qualifier"}
        self.call("put_function_event_invoke_config", **parameters)
        return Created(desired["FunctionName"])

    def read(self, reference: str) -> Json:
        config: Json = self.client.get_function_event_invoke_config(FunctionName=reference)
        return {**config, "FunctionName": config["FunctionArn"].rsplit(":", 1)[-1]}
