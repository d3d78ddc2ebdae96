"""Values survive pickling under every protocol, the function's own classes among them."""
import pickle


class Account:
    def __init__(self, owner, *amounts):
        self.owner = owner
        self.amounts = list(amounts)

    def __eq__(self, other):
        return vars(self) == vars(other)


def faasm_main():
    account = Account("ada", 1, -2.5, 10**30)
    value = {"bytes": bytes(range(256)), "text": "naïve \0 text", "nested": [(1, {2, 3}), None, account], "same": account}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(value, protocol))
        assert copy == value
        assert copy["nested"][2] is copy["same"]
