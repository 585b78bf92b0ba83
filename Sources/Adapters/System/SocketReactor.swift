#if os(Linux)
    import Cepoll
    import Glibc
    import Synchronization

    /// What a reactor tells of a socket or a deadline. All calls come from the reactor's one thread and must not block.
    public protocol ReactorHandler: AnyObject, Sendable {
        /// The socket can be read, written, or has failed; the handler finds out which by trying.
        func socketIsReady()
        /// A deadline given to ``SocketReactor/wake(_:at:)`` passed. It may be an older one than the handler waits for now.
        func deadlinePassed(now: Int64)
    }

    /// One thread that waits for many sockets (epoll, level-triggered) and deadlines, so that no thread of Swift's
    /// cooperative pool ever waits for a server.
    ///
    /// A handler does its own reading and writing, on this thread or its caller's; the reactor only says when.
    public final class SocketReactor: Sendable {
        /// The identity of a handler at its reactor.
        public struct Token: Hashable, Sendable {
            let rawValue: UInt64
        }

        /// The reactor that every adapter of a process shares.
        public static let shared = SocketReactor(name: "reactor")

        private struct State {
            var handlers: [UInt64: any ReactorHandler] = [:]
            var nextToken: UInt64 = 1
            var deadlines = DeadlineHeap()
            /// When the thread wakes by itself; later deadlines need not disturb it.
            var sleepingUntil = Int64.max
        }

        private let state = Mutex(State())
        private let epoll: Int32
        private let wakeUp: Int32
        private static let wakeUpToken: UInt64 = 0

        public init(name: String) {
            epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
            wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
            precondition(epoll >= 0 && wakeUp >= 0, "the system gives no epoll or eventfd: error \(errno)")
            control(EPOLL_CTL_ADD, wakeUp, token: Self.wakeUpToken, wantsWrite: false)
            DedicatedThread.start(name) { self.run() }
        }

        /// Nanoseconds of the clock that deadlines are given in.
        public static var now: Int64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }

        /// Makes a handler known, first without a socket.
        public func register(_ handler: any ReactorHandler) -> Token {
            state.withLock { state in
                let token = state.nextToken
                state.nextToken += 1
                state.handlers[token] = handler
                return Token(rawValue: token)
            }
        }

        /// Begins to watch a socket for input.
        public func watch(_ socket: Int32, for token: Token) {
            control(EPOLL_CTL_ADD, socket, token: token.rawValue, wantsWrite: false)
        }

        /// Changes whether room for output is of interest, too.
        public func setWantsWrite(_ wantsWrite: Bool, socket: Int32, for token: Token) {
            control(EPOLL_CTL_MOD, socket, token: token.rawValue, wantsWrite: wantsWrite)
        }

        /// Changes what is of interest. Without either, only a failure of the socket is told; a handler that has enough input
        /// must say so, because input that it leaves unread is told again and again.
        public func setInterest(reads: Bool, writes: Bool, socket: Int32, for token: Token) {
            control(EPOLL_CTL_MOD, socket, token: token.rawValue, reads: reads, wantsWrite: writes)
        }

        /// Stops watching a socket; to be called before it is closed, since the system reuses its number.
        public func unwatch(_ socket: Int32) {
            epoll_ctl(epoll, EPOLL_CTL_DEL, socket, nil)
        }

        /// Forgets a handler. A call that is under way may still arrive.
        public func unregister(_ token: Token) {
            _ = state.withLock { $0.handlers.removeValue(forKey: token.rawValue) }
        }

        /// Calls the handler's `deadlinePassed` at `deadline` or a little later. Costs a wake-up of the thread only when
        /// it would otherwise sleep longer.
        public func wake(_ token: Token, at deadline: Int64) {
            let disturbs = state.withLock { state in
                state.deadlines.insert(deadline, token.rawValue)
                guard deadline < state.sleepingUntil else { return false }
                state.sleepingUntil = deadline
                return true
            }
            if disturbs {
                var one: UInt64 = 1
                _ = write(wakeUp, &one, 8)
            }
        }

        private func control(
            _ operation: Int32, _ socket: Int32, token: UInt64, reads: Bool = true, wantsWrite: Bool
        ) {
            var event = epoll_event()
            event.events = (reads ? EPOLLIN.rawValue | EPOLLRDHUP.rawValue : 0) | (wantsWrite ? EPOLLOUT.rawValue : 0)
            event.data.u64 = token
            epoll_ctl(epoll, operation, socket, &event)
        }

        private func run() -> Never {
            var events = [epoll_event](repeating: epoll_event(), count: 64)
            while true {
                let count = epoll_wait(epoll, &events, Int32(events.count), timeout())
                for index in 0..<max(0, Int(count)) {
                    let token = events[index].data.u64
                    if token == Self.wakeUpToken {
                        var value: UInt64 = 0
                        _ = read(wakeUp, &value, 8)
                    } else if let handler = state.withLock({ $0.handlers[token] }) {
                        handler.socketIsReady()
                    }
                }
                callPassedDeadlines()
            }
        }

        /// Milliseconds until the first deadline, rounded up; -1 when there is none.
        private func timeout() -> Int32 {
            let next = state.withLock { state in
                state.sleepingUntil = state.deadlines.first ?? Int64.max
                return state.sleepingUntil
            }
            guard next != Int64.max else { return -1 }
            let milliseconds = (max(0, next - Self.now) + 999_999) / 1_000_000
            return Int32(min(milliseconds, Int64(Int32.max)))
        }

        private func callPassedDeadlines() {
            let now = Self.now
            while let handler = state.withLock({ state -> (any ReactorHandler)?? in
                guard let token = state.deadlines.removeFirst(notAfter: now) else { return nil }
                return .some(state.handlers[token])
            }) {
                handler?.deadlinePassed(now: now)
            }
        }
    }
#endif
