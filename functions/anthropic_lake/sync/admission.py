"""What must hold before a run writes the first thing."""

from dataclasses import dataclass
from datetime import timedelta

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import ApiError, WrongClock
from anthropic_lake.sync.adoption import Adoption
from anthropic_lake.sync.ownership import OwnedLake
from anthropic_lake.sync.runs import Record

_MAX_CLOCK_SKEW = timedelta(hours=1)
_MAX_ORGANIZATION_BYTES = 1 << 20


@dataclass(frozen=True)
class Admission:
    """Lets a key's data into a lake, once the API has answered.

    Args:
        owned: The lake.
        adoption: What its objects say, if version 0.1.0 wrote them.
        asset: What is synced.
        api: The client of the run.
        record: The run's record.
    """

    owned: OwnedLake
    adoption: Adoption
    asset: Asset
    api: AdminApi
    record: Record

    def admit(self) -> None:
        """Check clock and organization, then write manifest, adopted ledger and the run's row.

        Raises:
            Refused: The clock, the key and the lake do not fit together; nothing was written.
            LakeError: The lake cannot be written.
        """
        now = self.record.clock()
        self._refuse_wrong_clock()
        self.owned.admit(self._organization_id(), self.adoption.organization_id, now)
        self.adoption.write(self.owned.lake, self.owned.watermarks, self.asset)
        self.record.begin()

    def _refuse_wrong_clock(self) -> None:
        """Raise if this machine's clock is not the API's: it decides which days are complete."""
        if self.api.server_time is None:
            return
        skew = self.record.clock() - self.api.server_time
        if abs(skew) > _MAX_CLOCK_SKEW:
            hours = abs(skew) / timedelta(hours=1)
            direction = "ahead of" if skew > timedelta() else "behind"
            raise WrongClock(
                f"this machine's clock is {hours:.1f} hours {direction} the API's: set it right; "
                "nothing was written"
            )

    def _organization_id(self) -> str | None:
        """Return the organization of the key, from an answer's header or by asking for it."""
        if self.api.organization_id is not None:
            return self.api.organization_id
        problem = "the API does not name it"
        try:
            path = ASSETS["organization"].path
            body = self.api.get(path, max_body_bytes=_MAX_ORGANIZATION_BYTES).body
            identifier = strict_json.value(body).get("id")
            if isinstance(identifier, str) and identifier:
                return identifier
        except (ApiError, strict_json.InvalidJson, AttributeError) as error:
            problem = str(error)
        self.record.run.warnings.append(
            f"the key's organization is not known, so it is not checked: {problem}"
        )
        return None
