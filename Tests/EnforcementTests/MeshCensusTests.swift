import DeploymentGenerator
import PortModel
import Site
import Testing

@testable import Enforcement
@testable import Reports

/// What is counted by what nodes have in common is what one finds who looks at every pair.
@Suite struct MeshCensusTests {
    private static func census(_ seed: UInt64) -> MeshCensus {
        var random = SeededGenerator(seed: seed)
        let interfaces = Int.random(in: 1...4, using: &random)
        func reach() -> MeshCensus.Reach {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: .noRoute
            case 1: .here
            default: .via("eth\(Int.random(in: 0..<interfaces, using: &random))")
            }
        }
        let members = (0..<Int.random(in: 0...40, using: &random)).map { index in
            var addresses: [IPAddress] = []
            var reaches: [AddressFamily: MeshCensus.Reach] = [:]
            for family in AddressFamily.allCases where Bool.random(using: &random) {
                addresses.append(IPAddress(family: family, value: UInt128(index + 1)))
                reaches[family] = reach()
            }
            return MeshCensus.Member(
                node: Node(
                    name: "n\(index)",
                    role: Profile.standard.roleNames.randomElement(using: &random) ?? .conferencing,
                    addresses: addresses),
                isEnforced: Int.random(in: 0..<3, using: &random) > 0, reach: reaches)
        }
        return MeshCensus(members, of: Deployment(nodes: []))
    }

    private static func everyPair(_ census: MeshCensus) -> [MeshCensus.PairKey] {
        census.members.indices.flatMap { one in
            census.members.indices.filter { $0 > one }.compactMap { census.pair(one, $0) }
        }
    }

    @Test func countsAreThoseOfEveryPair() {
        for seed in 0..<300 as Range<UInt64> {
            let census = Self.census(seed)
            var counts: [MeshReport.State: Int] = [:]
            for pair in Self.everyPair(census) {
                counts[census.unseenState(of: pair), default: 0] += 1
            }
            #expect(census.unseenCounts() == counts, "seed \(seed)")
        }
    }

    @Test func pairsAreFoundAsFarAsTheyAreWanted() {
        for seed in 0..<100 as Range<UInt64> {
            let census = Self.census(seed)
            let pairs = Self.everyPair(census)
            let left = Set(pairs.filter { ($0.first + $0.second) % 3 == 0 })
            for state in [MeshReport.State.noRoute, .silent, .elsewhere] {
                let wanted = pairs.filter {
                    census.unseenState(of: $0) == state && !left.contains($0)
                }
                for limit in [0, 1, 5, 10_000] {
                    let found = census.unseenPairs(in: state, atMost: limit) { left.contains($0) }
                    #expect(found.count == min(limit, wanted.count), "seed \(seed)")
                    #expect(Set(found).isSubset(of: wanted), "seed \(seed)")
                    #expect(Set(found).count == found.count, "seed \(seed)")
                }
            }
        }
    }

    @Test func silentPartnersAreThoseOfEveryPair() {
        for seed in 0..<100 as Range<UInt64> {
            let census = Self.census(seed)
            for member in census.members.indices {
                let partners = census.partners(of: member).filter {
                    census.unseenState(of: $0) == .silent
                }
                #expect(census.silentPartners(of: member) == partners.count, "seed \(seed)")
            }
        }
    }

    @Test func theEnforcedNodeComesFirst() {
        for seed in 0..<100 as Range<UInt64> {
            let census = Self.census(seed)
            for pair in Self.everyPair(census) {
                let (first, second) = (census.members[pair.first], census.members[pair.second])
                #expect(first.isEnforced)
                #expect(!second.isEnforced || pair.first < pair.second)
            }
        }
    }
}
