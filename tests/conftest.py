"""What messages say is asserted in English, in whatever country the tests are run."""

import os

os.environ["LANGUAGE"] = "en"
os.environ["CHAINRULE_PATIENCE"] = "4"  # what is found does not depend on how busy the machine is
