"""schemas/messages/*.json as validators."""

import glob
import json
import os

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
FOLDER = os.path.join(ROOT, "schemas", "messages")


def load_all():
    documents = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        with open(path, encoding="utf-8") as file:
            documents[os.path.basename(path)[: -len(".json")]] = json.load(file)
    return documents


class Schemas:
    """Remembers which ones were used, so that a test can ask for all of them."""

    def __init__(self):
        self.documents = load_all()
        self.used = set()
        self._store = {document["$id"]: document for document in self.documents.values()}

    def faults(self, name, message):
        """What is wrong with the message, one sentence each; an empty list when nothing is."""
        document = self.documents[name]
        resolver = jsonschema.RefResolver(document["$id"], document, store=self._store)
        validator = jsonschema.Draft202012Validator(document, resolver=resolver)
        self.used.add(name)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(message)]
