"""What is set before anything is imported.

What messages say is asserted in English, in whatever country the tests are run.  Matrices are small, and the processors
are busy with other tests: threads of the linear algebra would wait for each other most of the time.
"""

import os

os.environ["LANGUAGE"] = "en"
os.environ["CHAINRULE_PATIENCE"] = "4"  # what is found does not depend on how busy the machine is
os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
