/// Which of several ready tasks runs next.
public enum Scheduling: Hashable, Sendable, Codable {
    /// In the order in which they became ready.
    case inOrder
    /// Any of them, each as likely.
    case random
    /// The one of highest priority; priorities are random and are lowered at `depth - 1` random points among the first
    /// `stepCount`: PCT (Burckhardt et al., ASPLOS 2010), which finds a bug of that depth with a known probability.
    case priorities(depth: Int, stepCount: Int)
}

/// The ready jobs of a simulation, a ring whose capacity is a power of two.
@usableFromInline struct ReadyQueue: ~Copyable {
    @usableFromInline struct Entry {
        @usableFromInline let job: UnownedJob
        @usableFromInline var task: TaskIdentity
        @inlinable init(job: UnownedJob, task: TaskIdentity) {
            self.job = job
            self.task = task
        }
    }

    @usableFromInline var entries: UnsafeMutablePointer<Entry>
    @usableFromInline var head = 0
    @usableFromInline var tail = 0
    @usableFromInline var mask: Int

    init() {
        mask = 255
        entries = .allocate(capacity: mask + 1)
    }
    @inlinable deinit { entries.deallocate() }

    @inlinable var isEmpty: Bool { head == tail }

    /// Gives the task of an entry another priority, for good.
    mutating func setPriority(_ priority: UInt32, atOffset offset: Int) {
        let entry = entries + ((head + offset) & mask)
        entry.pointee.task.priority = priority
        TaskNote(entry.pointee.job).write(isRoot: entry.pointee.task.isRoot, priority: priority)
    }
    @inlinable var count: Int { tail &- head }

    @inlinable @inline(__always) mutating func append(_ job: UnownedJob, _ task: TaskIdentity) {
        if tail &- head > mask { grow() }
        (entries + (tail & mask)).initialize(to: Entry(job: job, task: task))
        tail &+= 1
    }

    @usableFromInline @inline(never) mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: 2 * (mask + 1))
        for index in head..<tail { (larger + (index - head)).initialize(to: entries[index & mask]) }
        entries.deallocate()
        entries = larger
        (head, tail, mask) = (0, tail - head, 2 * mask + 1)
    }

    @inlinable @inline(__always) mutating func removeFirst() -> Entry {
        let entry = entries[head & mask]
        head &+= 1
        return entry
    }

    /// Brings the entry at `offset` from the head to the head.
    mutating func moveToHead(offset: Int) {
        let (first, chosen) = (entries[head & mask], entries[(head + offset) & mask])
        entries[head & mask] = chosen
        entries[(head + offset) & mask] = first
    }

    func task(atOffset offset: Int) -> TaskIdentity { entries[(head + offset) & mask].task }
}

/// The choice among ready tasks, by policy. Draws from the stream `scheduler`.
struct TaskChooser {
    let scheduling: Scheduling
    private let stream: DecisionStreamID
    /// When a task is lowered, and to which priority; the next one last.
    private var changePoints: [(step: Int, priority: UInt32)] = []
    private var pointCount = 0

    /// Every priority given at the start is at least this, and every one given at a change point below it.
    private static let lowestAtStart: UInt32 = 1 << 30

    init(_ scheduling: Scheduling, decisions: inout Decisions) {
        self.scheduling = scheduling
        stream = decisions.stream("scheduler")
        if case .priorities(let depth, let stepCount) = scheduling {
            for point in 1..<max(1, depth) {
                let step = Int(decisions.draw(stream, below: UInt64(max(1, stepCount))))
                // Below every priority given at the start. Which of two lowered tasks is the lower one is as random as the
                // steps are, and not a matter of which was lowered first: some bugs need the one, some the other.
                changePoints.append((step, Self.lowestAtStart - UInt32(point)))
            }
            changePoints.sort { ($0.step, $0.priority) > ($1.step, $1.priority) }
        }
    }

    var tracksTasks: Bool { if case .priorities = scheduling { true } else { false } }

    /// The priority of a new task. Of two that draw the same one, which is rare, the one that was ready first runs first.
    mutating func drawPriority(_ decisions: inout Decisions) -> UInt32 {
        Self.lowestAtStart + UInt32(decisions.draw(stream, below: UInt64(UInt32.max - Self.lowestAtStart)))
    }

    /// Brings the chosen entry to the head. One draw where there are two or more to choose from.
    ///
    /// - Returns: where it was, from the head.
    mutating func choose(_ ready: inout ReadyQueue, _ decisions: inout Decisions) -> Int {
        let count = ready.count
        guard count > 1 else { return 0 }
        switch scheduling {
        case .inOrder: return 0
        case .random:
            let chosen = Int(decisions.draw(stream, below: UInt64(count)))
            ready.moveToHead(offset: chosen)
            return chosen
        case .priorities:
            var best = 0
            var highest: UInt32 = 0
            for offset in 0..<count {
                let priority = ready.task(atOffset: offset).priority
                if priority > highest { (best, highest) = (offset, priority) }
            }
            pointCount += 1
            if let next = changePoints.last, pointCount > next.step {
                changePoints.removeLast()
                ready.setPriority(next.priority, atOffset: best)
            }
            ready.moveToHead(offset: best)
            return best
        }
    }
}

extension Scheduling {
    /// The policy that a seed draws when none is fixed: half of them in order, a quarter each random and by priorities.
    public static func drawn(seed: UInt64) -> Scheduling {
        switch SplitMix64.mixed(seed ^ stableHash("scheduling")) % 4 {
        case 0: .random
        case 1: .priorities(depth: 3, stepCount: 10_000)
        default: .inOrder
        }
    }
}
