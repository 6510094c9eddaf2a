"""The warehouse connector: releases, confirmations, stock. Imports nothing of another connector."""
