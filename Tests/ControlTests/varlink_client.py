"""Talks to the test service with the independent `varlink` package: varlink_client.py SOCKET."""

import sys

import varlink


def main(path):
    with varlink.Client("unix:" + path) as client:
        client.get_interfaces()
        info = client.info
        assert info["vendor"] == "Example", info
        assert info["interfaces"] == ["org.varlink.service", "org.example.test"], info

        # The package parses the descriptions, and builds its methods from them.
        assert "GetInfo" in client.get_interface("org.varlink.service").members
        with client.open("org.example.test") as test:
            assert test.Echo(text="grüß\0dich") == {"text": "grüß\0dich"}
            assert [reply["number"] for reply in test.Count(to=3, _more=True)] == [1, 2, 3]
            test.Echo(text="nobody reads this", _oneway=True)
            assert test.Echo(text="after") == {"text": "after"}
            for call, error in [
                (test.Refuse, "org.example.test.Refused"),
                (test.Crash, "org.example.test.InternalError"),
                (test.Secret, "org.varlink.service.PermissionDenied"),
                (lambda: test.Count(to=3), "org.varlink.service.ExpectedMore"),
            ]:
                try:
                    call()
                except varlink.VarlinkError as raised:
                    assert raised.error() == error, raised
                else:
                    raise AssertionError("no " + error)


main(sys.argv[1])
