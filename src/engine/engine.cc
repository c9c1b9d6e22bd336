// Starting and stopping Node.js. Owns the platform, the control environment
// and the order in which they come and go; nothing else may include node.h.
//
// Invariants
//   Opened at most once in a process: V8 and Node.js keep process-wide state
//   that cannot be set up twice.
//   `environment` is non-NULL only between a successful open and the moment
//   run() returned, and only under `lock`: node::Stop() from another thread
//   must not race with the end of the environment.
//
// What is left to the host: signal dispositions, descriptors, stdio modes,
// resource limits and NODE_OPTIONS, by the initialisation flags below. Wasm
// traps use inline bounds checks as a consequence (no SIGSEGV handler).

#include "src/engine/engine.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <node.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "src/engine/beside.h"
#include "src/engine/guard.h"

// How long a close with parked threads waits for the workers that can end.
#define PARKED_CLOSE_MS 1000

namespace {

struct Engine {
    std::unique_ptr<node::MultiIsolatePlatform> platform;
    std::unique_ptr<node::CommonEnvironmentSetup> setup;
    int exit_code = 0; // Of process.exit() in the control environment.

    std::mutex lock;
    // -- protected by lock
    node::Environment *environment = nullptr;
};

// Never destroyed: threads may outlive static destructors at process exit.
Engine *engine()
{
    static Engine *instance = new Engine();
    return instance;
}

nw_status fail(char *error, size_t size, const std::vector<std::string> &why)
{
    std::string text = "Node.js could not start";

    for (const std::string &line : why) {
        text += ": " + line;
    }
    snprintf(error, size, "%s", text.c_str());
    return NW_ENODE;
}

nw_status open_process(const nw__engine_options *options,
                       std::unique_ptr<node::InitializationResult> *out,
                       char *error, size_t error_size)
{
    namespace flags = node::ProcessInitializationFlags;
    std::vector<std::string> arguments = {"nwpool"};

    for (const char *const *o = options->node_options; o && *o; o++) {
        arguments.push_back(*o);
    }
    auto result = node::InitializeOncePerProcess(
        arguments,
        static_cast<flags::Flags>(
            flags::kNoInitializeV8 | flags::kNoInitializeNodeV8Platform |
            flags::kNoStdioInitialization | flags::kNoDefaultSignalHandling |
            flags::kNoAdjustResourceLimits | flags::kNoUseLargePages |
            flags::kDisableNodeOptionsEnv |
            flags::kNoParseGlobalDebugVariables |
            flags::kNoPrintHelpOrVersionOutput));
    if (result->early_return() || !result->errors().empty()) {
        return fail(error, error_size, result->errors());
    }
    *out = std::move(result);
    return NW_OK;
}

// With the environment entered. The exit handler and the binding have to be
// there before any script runs.
nw_status load_glue(const nw__engine_options *options, char *error,
                    size_t error_size)
{
    node::Environment *environment = engine()->setup->env();

    node::SetProcessExitHandler(
        environment, [](node::Environment *stopping, int code) {
            engine()->exit_code = code;
            node::Stop(stopping);
        });
    node::AddLinkedBinding(environment, options->binding_name,
                           options->binding_init);
    if (node::LoadEnvironment(environment, options->glue).IsEmpty()) {
        return fail(error, error_size, {"the control script failed"});
    }
    std::lock_guard<std::mutex> guard(engine()->lock);
    engine()->environment = environment;
    return NW_OK;
}

} // namespace

nw_status nw__engine_open(const nw__engine_options *options, char *error,
                          size_t error_size)
{
    std::unique_ptr<node::InitializationResult> process;
    std::vector<std::string> errors;
    Engine *self = engine();

    if (open_process(options, &process, error, error_size) != NW_OK) {
        return NW_ENODE;
    }
    self->platform = node::MultiIsolatePlatform::Create(
        static_cast<int>(options->platform_threads));
    v8::V8::InitializePlatform(self->platform.get());
    v8::V8::Initialize();

    // Owning the process state but not the inspector: a second environment
    // in this process, somebody else's, would abort if we owned that too.
    self->setup = node::CommonEnvironmentSetup::Create(
        self->platform.get(), &errors, process->args(), process->exec_args(),
        node::EnvironmentFlags::kOwnsProcessState);
    if (!self->setup) {
        return fail(error, error_size, errors);
    }
    // Without it performance.eventLoopUtilization() stays 0.
    uv_loop_configure(self->setup->event_loop(), UV_METRICS_IDLE_TIME);

    v8::Isolate *isolate = self->setup->isolate();
    v8::Locker locker(isolate);
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handle_scope(isolate);
    v8::Context::Scope context_scope(self->setup->context());

    return load_glue(options, error, error_size);
}

int nw__engine_run(void)
{
    Engine *self = engine();
    v8::Isolate *isolate = self->setup->isolate();
    v8::Locker locker(isolate);
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handle_scope(isolate);
    v8::Context::Scope context_scope(self->setup->context());

    v8::Maybe<int> code = node::SpinEventLoop(self->setup->env());

    std::lock_guard<std::mutex> guard(self->lock);
    self->environment = nullptr;
    return code.FromMaybe(self->exit_code);
}

bool nw__engine_close(void)
{
    Engine *self = engine();

    // Workers are joined one behind the other, and a parked one never ends.
    if (nw__engine_guard_parked() > 0) {
        nw__engine_guard_end_all(PARKED_CLOSE_MS);
        return false;
    }
    if (self->setup) {
        node::Stop(self->setup->env());
        self->setup.reset();
    }
    nw::drop_modules();
    v8::V8::Dispose();
    v8::V8::DisposePlatform();
    node::TearDownOncePerProcess();
    self->platform.reset();
    return true;
}

void nw__engine_interrupt(void)
{
    std::lock_guard<std::mutex> guard(engine()->lock);

    if (engine()->environment != nullptr) {
        node::Stop(engine()->environment);
    }
}
