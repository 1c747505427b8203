"""What messages say is asserted in English, in whatever country the tests are run."""

import os

os.environ["LANGUAGE"] = "en"
