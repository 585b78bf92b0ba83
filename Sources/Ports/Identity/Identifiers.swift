/// The identifier port: where a service gets new ids. Random in production, drawn from the seed in a simulation.
public protocol Identifiers: Sendable {
    /// A new id that no other call, in any process, has returned.
    func next() -> UniqueID
}
