/// Who receives an event: an ``EventHandler`` registered with a simulation.
public struct HandlerID: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline let index: UInt32
    @usableFromInline init(index: UInt32) { self.index = index }
}

/// An event of the simulation: a plain struct of 24 bytes that names its handler and says what happened in the handler's
/// own terms. What does not fit two words lies in a store of the handler, under an index carried here.
public struct KernelEvent: BitwiseCopyable, Sendable {
    /// Who receives it.
    public let handler: HandlerID
    /// The handler's own code for what happened.
    public let code: UInt16
    /// Low bits of the incarnation of the handler's process that the event is for; zero for any.
    @usableFromInline let incarnation: UInt16
    /// What the handler said when it was scheduled; folded into the trace hash.
    public let first: UInt64
    /// As ``first``.
    public let second: UInt64

    @inlinable init(handler: HandlerID, code: UInt16, incarnation: UInt16, first: UInt64, second: UInt64) {
        self.handler = handler
        self.code = code
        self.incarnation = incarnation
        self.first = first
        self.second = second
    }
}

/// What receives events: the shell around a state machine, or anything else that lives on the simulation's timeline.
///
/// `handle` runs synchronously, must not wait, and must depend on nothing but the event and the handler's own state.
public protocol EventHandler: AnyObject {
    /// Carries out one event, now.
    func handle(_ event: KernelEvent)
    /// The event in words, for a recorded trace. Called before `handle`, only when a trace is recorded.
    func describe(_ event: KernelEvent) -> String
}
