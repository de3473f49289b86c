"""Resource types of IAM."""

from __future__ import annotations

import json

from tests.aws.resources.kind import Created, Json, Kind, take


class Role(Kind):
    service = "iam"
    name = "RoleName"

    def desired(self, properties: Json) -> Json:
        return take(
            properties,
            "RoleName",
            "Path",
            "Description",
            "AssumeRolePolicyDocument",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "ManagedPolicyArns",
            "Policies",
            "Tags",
        )

    def create(self, desired: Json) -> Created:
        apart = ("ManagedPolicyArns", "Policies")
        role = self.call("create_role", **{k: v for k, v in desired.items() if k not in apart})
        self._grant(desired)
        arn, identifier = role["Role"]["Arn"], role["Role"]["RoleId"]
        return Created(desired["RoleName"], {"Arn": arn, "RoleId": identifier})

    def update(self, created: Created, desired: Json) -> Created:
        trust = json.dumps(desired["AssumeRolePolicyDocument"])
        self.client.update_assume_role_policy(RoleName=created.reference, PolicyDocument=trust)
        before = self.read(created.reference)
        for policy in before["Policies"]:
            self.client.delete_role_policy(
                RoleName=created.reference, PolicyName=policy["PolicyName"]
            )
        for arn in before["ManagedPolicyArns"]:
            self.client.detach_role_policy(RoleName=created.reference, PolicyArn=arn)
        self._grant(desired)
        return created

    def _grant(self, desired: Json) -> None:
        role = desired["RoleName"]
        for policy in desired.get("Policies", []):
            self.call("put_role_policy", RoleName=role, **policy)
        for arn in desired.get("ManagedPolicyArns", []):
            self.client.attach_role_policy(RoleName=role, PolicyArn=arn)

    def read(self, reference: str) -> Json:
        role: Json = self.client.get_role(RoleName=reference)["Role"]
        names = self.client.list_role_policies(RoleName=reference)["PolicyNames"]
        attached = self.client.list_attached_role_policies(RoleName=reference)["AttachedPolicies"]
        policies = [self.client.get_role_policy(RoleName=reference, PolicyName=n) for n in names]
        boundary = role.pop("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return {
            **role,
            **({"PermissionsBoundary": boundary} if boundary else {}),
            "Policies": policies,
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        }


class ManagedPolicy(Kind):
    service = "iam"
    name = "ManagedPolicyName"

    def desired(self, properties: Json) -> Json:
        take(properties, "ManagedPolicyName", "Description", "Path", "PolicyDocument")
        renamed = {**properties, "PolicyName": properties["ManagedPolicyName"]}
        del renamed["ManagedPolicyName"]
        return renamed

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_policy", **desired)["Policy"]["Arn"])

    def update(self, created: Created, desired: Json) -> Created:
        self.call(
            "create_policy_version",
            PolicyArn=created.reference,
            PolicyDocument=desired["PolicyDocument"],
            SetAsDefault=True,
        )
        return created

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            raise LookupError(reference)
        policy: Json = self.client.get_policy(PolicyArn=reference)["Policy"]
        version = self.client.get_policy_version(
            PolicyArn=reference, VersionId=policy["DefaultVersionId"]
        )
        return {**policy, "PolicyDocument": version["PolicyVersion"]["Document"]}
