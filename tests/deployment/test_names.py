"""A stack may have a name that SSM keeps for itself."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.aws.deployment import deploy
from tests.aws.embedded import EmbeddedAws
from tests.deployment.conftest import SETTINGS, TODAY, Deployed

NAME = "aws-lake"


@pytest.mark.slow
def test_a_stack_whose_name_ssm_refuses_keeps_its_watermarks(aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match="aws"):
        aws.client("ssm").put_parameter(Name=f"/{NAME}/test", Value="-", Type="String")
    reserved = Deployed(aws, deploy(aws, NAME, SETTINGS))
    reserved.put_admin_key()

    run = reserved.run("users")

    assert not run.error, run.payload
    assert reserved.stack.outputs["StatePrefix"] == f"/lake/{NAME}"
    assert reserved.watermarks() == {"users": str(TODAY)}
