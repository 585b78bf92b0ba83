import Outbox

/// Mistakes that can be planted in the shop or its configuration, by name: each is to be found by some property.
package enum ShopBugs {
    /// Every name, in a fixed order.
    package static var names: [String] { PlantedMistakes.named.map(\.name) + ["unclean-election"] }

    /// Plants a mistake.
    ///
    /// - Throws: ``UnknownBug``
    package static func plant(_ name: String, into options: inout ShopOptions) throws(UnknownBug) {
        if name == "unclean-election" {
            options.allowsUncleanElection = true
            options.minimumInSyncReplicas = 1
            return
        }
        guard let mistake = PlantedMistakes.named.first(where: { $0.name == name })?.mistake else {
            throw UnknownBug(name: name)
        }
        options.mistakes.insert(mistake)
        // Shows only when events of one order can overtake each other.
        if mistake == .releaseWithoutTombstone { options.mistakes.insert(.eventKeyIsNotTheAggregateID) }
    }

    /// A name that no mistake has.
    package struct UnknownBug: Error, CustomStringConvertible {
        let name: String
        package var description: String { "unknown bug '\(name)'; known are \(names.joined(separator: ", "))" }
    }
}
