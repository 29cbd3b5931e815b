package import PortModel

/// How the nodes reach each other by IPsec: the answer of the control protocol's `Mesh`.
package struct MeshReport: Hashable, Sendable, Codable {
    /// Since when packets are noted; nil where that was before the agent started.
    package var notedSince: Timestamp?
    /// How many pairs there are, in each state that any is in.
    package var counts: [String: Int]
    /// Of pairs with an enforced node the worst first, as many as were asked for.
    package var pairs: [Pair]
    /// How many pairs are left out.
    package var omitted: Int
    /// Refused IPsec between an enforced node and an address of no node, the newest first.
    package var strangers: [Stranger]
    /// The kernel holds no more pairs, so that nothing is known of further ones.
    package var isFull: Bool

    /// Two nodes that must reach each other.
    package struct Pair: Hashable, Sendable, Codable {
        /// In local placement the node that this host is; on a gateway an enforced one.
        package var first: String
        /// The other node's name; a node that need not be enforced here.
        package var second: String
        /// The first node's primary address of the family that the two speak, or would.
        package var firstAddress: IPAddress
        /// The second node's primary address of the same family.
        package var secondAddress: IPAddress
        /// Judged from sightings, evidence and routes together.
        package var state: State
        /// IKE that the rules permitted, by direction.
        package var ike: Sightings
        /// ESP (IP protocol 50) that the rules permitted, by direction.
        package var esp: Sightings
        /// This host's routes to the other node, or on a gateway to both.
        package var routes: [Route]
        /// Other sightings that explain the state, such as translated flows; empty where the pair
        /// is `up`.
        package var evidence: [Evidence]
    }

    /// When something was seen last; nil for never.
    package struct Sightings: Hashable, Sendable, Codable {
        /// From the pair's first node to the second.
        package var forth: Timestamp?
        /// From the second node to the first.
        package var back: Timestamp?

        /// Without arguments: never seen in either direction.
        package init(forth: Timestamp? = nil, back: Timestamp? = nil) {
            self.forth = forth
            self.back = back
        }
    }

    /// This host's way to a primary address.
    package struct Route: Hashable, Sendable, Codable {
        /// The address that the route leads to.
        package var address: IPAddress
        /// nil where there is no route.
        package var interface: String?
    }

    /// Packets beside those that the pair needs, which explain how it stands.
    package struct Evidence: Hashable, Sendable, Codable {
        /// How the packets differ from those that the pair needs.
        package var kind: Kind
        /// The packets' source, as the rules saw it.
        package var from: IPAddress
        /// The packets' destination, as the rules saw it.
        package var to: IPAddress
        /// When the last of them came by.
        package var seen: Timestamp

        /// The words that reports have for evidence.
        package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
            /// This host translates addresses between the two.
            case translated
            /// UDP 4500 from one to the other: their IKE found a NAT.
            case traversal
            /// IKE from one to the other, but from another port than 500.
            case sourcePort = "source-port"
            /// IPsec with a secondary address.
            case secondaryAddress = "secondary-address"
            /// IPsec with an address of no node, where the other node is silent.
            case stranger
        }
    }

    /// Refused IPsec with one end that is no node's address.
    package struct Stranger: Hashable, Sendable, Codable {
        /// The protocol of the refused packets.
        package var kind: Kind
        /// The refused packets' source: the node's address, or the stranger's.
        package var from: IPAddress
        /// The refused packets' destination: the node's address, or the stranger's.
        package var to: IPAddress
        /// The enforced node at one end.
        package var node: String
        /// When the last of them was refused.
        package var seen: Timestamp

        /// The protocols of IPsec that rules note where they refuse them.
        package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
            case ike
            case esp
            /// UDP 4500.
            case traversal
        }
    }

    /// How a pair stands; worse ones first.
    package enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// This host has no route to a node.
        case noRoute = "no-route"
        /// There is a NAT between the nodes.
        case translated
        /// Both ends' IKE gets through, but no ESP, or none any more.
        case espMissing = "esp-missing"
        /// ESP gets through in one direction only.
        case espOneWay = "esp-one-way"
        /// One side is silent, while IPsec with an address of no node is refused, and no other
        /// node's silence explains that: it may be the silent one behind a NAT.
        case natSuspected = "nat-suspected"
        /// IKE gets through in one direction only.
        case ikeOneWay = "ike-one-way"
        /// Neither IKE nor ESP was ever seen.
        case silent
        /// All was seen, but nothing lately.
        case idle
        /// Nothing was seen on a gateway that both nodes lie on one side of.
        case elsewhere
        /// ESP gets through in both directions.
        case up

        /// Whether an administrator must do something: IPsec does not pass as it should. `idle` and
        /// `elsewhere` are no faults.
        package var isBroken: Bool {
            switch self {
            case .noRoute, .translated, .espMissing, .espOneWay, .natSuspected, .ikeOneWay, .silent:
                true
            case .idle, .elsewhere, .up: false
            }
        }
    }

    /// How many pairs the query was about: those in ``pairs`` and those left out.
    package var total: Int { counts.values.reduce(0, +) }

    /// Whether any pair is broken, shown or not.
    package var hasBroken: Bool {
        State.allCases.contains { $0.isBroken && counts[$0.rawValue, default: 0] > 0 }
    }
}
