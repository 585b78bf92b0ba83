public import Ports

/// What a consumer has to do with an event of some type.
public enum EventInterest: Hashable, Sendable {
    /// It applies such events.
    case handled
    /// It knows the type and has nothing to do.
    case ignored
    /// It does not know the type or cannot read that version: the event is parked until a version that does is deployed.
    case unknown
}

/// What a consumer does with events, as decisions: which rows it needs, and what it makes of them.
///
/// A batch of events is handled in one transaction of about three round trips: the inbox and the loads travel together,
/// then ``apply(_:loaded:in:into:)`` decides in memory, then everything is written with the commit. State that one event
/// of the batch changed is seen by the next one through the rows that the handler carries along.
public protocol EventHandler: Sendable {
    /// What ``didCommit(_:)`` is told, for example status changes that subscribers wait for.
    associatedtype Committed: Sendable

    func interest(in type: String, version: Int64) -> EventInterest

    /// The statements that read, and lock, what these events need.
    ///
    /// - Throws: ``MalformedEvent`` for a payload that cannot be read.
    func loads(for events: [Event]) throws -> [Statement]

    /// Decides what the events do, in the order given, and adds it to `work`.
    ///
    /// Called again with fewer events, or the same, when the transaction did not commit.
    ///
    /// - Parameters:
    ///   - loaded: results of ``loads(for:)``, which was asked for at least these events.
    ///   - session: for reads that depend on what was loaded; it has the transaction open.
    /// - Throws: ``MalformedEvent`` or ``Ports/DatabaseError``. An error that no retry cures dead-letters the event.
    func apply(
        _ events: [Event], loaded: ArraySlice<StatementResult>, in session: any DatabaseSession,
        into work: inout UnitOfWork
    ) async throws -> Committed

    /// The transaction is committed. Not called when the process ends in between, so nothing durable may depend on it.
    func didCommit(_ committed: Committed)
}

extension EventHandler where Committed == Void {
    public func didCommit(_ committed: Void) {}
}
