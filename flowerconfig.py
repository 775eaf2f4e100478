"""Flower's settings: never without a password, and on this machine alone unless told otherwise.

Flower reads this file from the current folder, or from `--conf`; its options on the command line
go before it.
"""

from __future__ import annotations

import sys

from curation.settings import Settings
from pipeline.web.flower import link_back

_settings = Settings.load()
_login = _settings.flower.basic_auth
_user, _, _password = _login.get_secret_value().partition(":") if _login else ("", "", "")
if not (_user and _password):
    sys.exit(
        "curation: Flower shows and steers everything, so it does not start without a password. "
        "Set FLOWER_BASIC_AUTH to user:password."
    )

basic_auth = [f"{_user}:{_password}"]
address = "127.0.0.1"
# Whoever has the password may look; runs are steered by `curate`, which knows what they hold.
read_only = True
# The arguments tell which run a task belongs to.
tasks_columns = "name,args,state,received,runtime,worker,uuid"
if _settings.web.web_url:
    link_back(_settings.web.web_url)
