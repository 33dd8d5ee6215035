"""Validates an RO-Crate with roc-validator and prints what it finds, as JSON. Requests nothing: the context comes with rocrate."""

import json
import sys
from pathlib import Path

import requests
import rocrate
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

# The context of RO-Crate 1.3, which has the terms of 1.1.
bundled = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


def answer(_requester, url, **_options):
    response = requests.Response()
    response.status_code = 200 if url.endswith("/context") else 404
    response.headers["Content-Type"] = "application/ld+json"
    response._content = bundled.read_bytes()
    return response


HttpRequester.get = answer

folder, profile = sys.argv[1:]
settings = ValidationSettings(
    rocrate_uri=folder, profile_identifier=profile, requirement_severity=Severity.RECOMMENDED, abort_on_first=False
)
result = services.validate(settings)
issues = sorted({f"{issue.severity.name}: {issue.message}" for issue in result.get_issues()})
print(json.dumps({"required": [i for i in issues if i.startswith("REQUIRED")], "all": issues}))
