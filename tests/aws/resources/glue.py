"""Resource types of Glue."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind


class Database(Kind):
    service = "glue"

    def identity(self, properties: Json) -> str:
        return str(properties["DatabaseInput"]["Name"])

    def create(self, desired: Json) -> Created:
        self.call("create_database", **desired)
        return Created(desired["DatabaseInput"]["Name"])

    def read(self, reference: str) -> Json:
        database: Json = self.client.get_database(Name=reference)["Database"]
        return {"CatalogId": database["CatalogId"], "DatabaseInput": database}


class Table(Kind):
    service = "glue"

    def identity(self, properties: Json) -> str:
        return f"{properties['DatabaseName']}|{properties['TableInput']['Name']}"

    def create(self, desired: Json) -> Created:
        self.call("create_table", **desired)
        return Created(self.identity(desired))

    def update(self, created: Created, desired: Json) -> Created:
        self.call("update_table", **desired)
        return created

    def read(self, reference: str) -> Json:
        database, name = reference.split("|")
        table: Json = self.client.get_table(DatabaseName=database, Name=name)["Table"]
        return {
            "CatalogId": table["CatalogId"],
            "DatabaseName": table["DatabaseName"],
            "TableInput": table,
        }
