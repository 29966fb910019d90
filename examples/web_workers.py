"""The same application in two processes that share one file: each run happens once, in one of them.

python examples/web_workers.py
"""

import os

import uvicorn

if __name__ == "__main__":
    uvicorn.run("web_fastapi:app", port=int(os.environ.get("PORT", "8000")), workers=2)
