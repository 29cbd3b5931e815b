import PortModel
import TestSupport
import Testing

@Suite struct ProbeEndpointTests {
    @Test(arguments: [
        ("10.0.0.1:443", "10.0.0.1", 443), ("10.0.0.1", "10.0.0.1", 0),
        ("[2001:db8::1]:5060", "2001:db8::1", 5060), ("2001:db8::1", "2001:db8::1", 0),
    ])
    func literalsAreParsed(text: String, address: String, port: UInt16) throws {
        let endpoint = try #require(ProbeEndpoint(text))
        #expect(endpoint.address == IPAddress(address))
        #expect(endpoint.port == port)
    }

    @Test(arguments: ["", "10.0.0.1:", "10.0.0.1:65536", "[10.0.0.1]:1", "host:1", "[::1]"])
    func othersAreNot(text: String) {
        #expect(ProbeEndpoint(text) == nil)
    }
}
