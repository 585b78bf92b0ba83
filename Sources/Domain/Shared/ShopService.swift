public import Ports

/// A service of the shop: what a process hosts, simulated or real.
///
/// A host migrates ``schema`` and creates ``producedTopics``, serves ``handler``, and runs ``run()`` beside it until the
/// process ends.
public protocol ShopService: Sendable {
    /// The service's name, also that of its database and its consumer group.
    static var name: String { get }
    /// The port that its HTTP interface is known at.
    static var defaultPort: Int { get }
    static var schema: Schema { get }
    /// Topics on which its events appear, dead letters included.
    static var producedTopics: [String] { get }
    /// Topics that it consumes.
    static var consumedTopics: [String] { get }

    var handler: any HTTPHandler { get }

    /// Runs the consumer loop and the background jobs until the task is cancelled or the process ends.
    func run() async throws

    /// Applies the parked events of one aggregate again, dead letters included; returns how many.
    ///
    /// - Throws: what the first that failed again threw; it and those behind it stay parked.
    func replayParked(aggregateID: String) async throws -> Int
}
