package import Reports
package import Site
internal import Synchronization

/// The deployment that a generation was compiled from, read from its files when somebody asks for
/// it, and once.
package final class DeploymentSource: Sendable {
    private enum State {
        case unread(Generation)
        case known(Result<Deployment, RefusedFiles>)
    }

    private let state: Mutex<State>

    init(_ generation: Generation?, _ deployment: Deployment? = nil) {
        state = Mutex(
            deployment.map { .known(.success($0)) } ?? generation.map { .unread($0) }
                ?? .known(.failure(.none)))
    }

    /// Fails where nothing is in force, or this version refuses the files.
    package var value: Result<Deployment, RefusedFiles> {
        state.withLock { state in
            switch state {
            case .known(let deployment): return deployment
            case .unread(let generation):
                let deployment = generation.deployment
                state = .known(deployment)
                return deployment
            }
        }
    }
}
