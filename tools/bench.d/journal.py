# SPDX-License-Identifier: Apache-2.0
"""What was measured so far, run by run, in a file that an interruption leaves whole."""
import json
import os
import sys


class Journal:
    def __init__(self, options):
        self.path = os.path.join(options.output, "bench.json")
        self.options = {"quick": options.quick, "rounds": options.rounds, "only": options.only,
                        "tools": options.tools}
        self.pace = None  # what is full speed: pacing.Reference
        self.runs = self.read() if options.resume else {}

    def read(self):
        try:
            with open(self.path) as file:
                kept = json.load(file)
        except (OSError, ValueError) as reason:
            sys.exit(f"tools/bench: nothing to go on with: {reason}")
        if kept["options"] != self.options:
            sys.exit(f"tools/bench: {self.path} is of other options: {kept['options']}")
        self.pace = kept.get("pace")
        return kept["runs"]

    @staticmethod
    def key(workload, recorder, number):
        return "|".join((str(number), workload.name, workload.variant, recorder.name))

    def find(self, workload, recorder, number):
        """The measures of a run that was made before, or None."""
        return self.runs.get(self.key(workload, recorder, number))

    def keep(self, workload, recorder, number, measures):
        self.runs[self.key(workload, recorder, number)] = measures
        with open(self.path + ".new", "w") as file:
            json.dump({"options": self.options, "pace": self.pace, "runs": self.runs}, file)
        os.replace(self.path + ".new", self.path)
