// How no JavaScript runs here
//   A record is read through its own properties alone, which are data: what a
//   deserializer made has no accessors, but Object.prototype may have some.
//   An Error's `stack` is assigned, which calls V8's own setter. To define it
//   would read the old one first, and so call Error.prepareStackTrace.

#include "src/engine/errors.h"

namespace {

using v8::Isolate;
using v8::Local;
using v8::MaybeLocal;
using v8::Name;
using v8::Object;
using v8::String;
using v8::Value;

// V8's own take a second parameter in later versions.
Local<Value> new_error(Local<String> message)
{
    return v8::Exception::Error(message);
}

Local<Value> new_type_error(Local<String> message)
{
    return v8::Exception::TypeError(message);
}

Local<Value> new_range_error(Local<String> message)
{
    return v8::Exception::RangeError(message);
}

Local<Value> new_syntax_error(Local<String> message)
{
    return v8::Exception::SyntaxError(message);
}

Local<Value> new_reference_error(Local<String> message)
{
    return v8::Exception::ReferenceError(message);
}

class Maker
{
  public:
    Maker(const nw__engine_codec *codec, Isolate *isolate, Local<Object> record)
        : codec_(codec), isolate_(isolate),
          context_(isolate->GetCurrentContext()), record_(record)
    {
    }

    MaybeLocal<Object> make()
    {
        Local<String> name = text("name", "Error");
        Local<String> message = text("message", "");
        Local<Object> error = of_name(name, message);

        if (set_stack(error, name, message) && set_hidden(error, "cause") &&
            set_errors(error) && set_code(error) && set_properties(error)) {
            return error;
        }
        return MaybeLocal<Object>();
    }

  private:
    struct Class {
        const char *name;
        Local<Value> (*make)(Local<String> message);
        nw__error_class prototype; // If `make` makes another class.
    };

    // Empty: the record has no such member.
    Local<Value> member(const char *key)
    {
        Local<String> name = nw::string(isolate_, key);
        Local<Value> value;

        if (!record_->HasOwnProperty(context_, name).FromMaybe(false) ||
            !record_->Get(context_, name).ToLocal(&value)) {
            return Local<Value>();
        }
        return value;
    }

    Local<String> text(const char *key, const char *otherwise)
    {
        Local<Value> value = member(key);

        return !value.IsEmpty() && value->IsString()
                   ? value.As<String>()
                   : nw::string(isolate_, otherwise);
    }

    // Empty: there is no such class.
    Local<Object> of_class(Local<String> name, Local<String> message)
    {
        static const Class classes[] = {
            {"Error", new_error, NW__ERROR_CLASSES},
            {"TypeError", new_type_error, NW__ERROR_CLASSES},
            {"RangeError", new_range_error, NW__ERROR_CLASSES},
            {"SyntaxError", new_syntax_error, NW__ERROR_CLASSES},
            {"ReferenceError", new_reference_error, NW__ERROR_CLASSES},
            {"EvalError", new_error, NW__ERROR_EVAL},
            {"URIError", new_error, NW__ERROR_URI},
            {"AggregateError", new_error, NW__ERROR_AGGREGATE},
        };

        for (const Class &known : classes) {
            if (name->StringEquals(nw::string(isolate_, known.name))) {
                Local<Object> error = known.make(message).As<Object>();
                if (known.prototype == NW__ERROR_CLASSES ||
                    set_prototype(error, known.prototype)) {
                    return error;
                }
            }
        }
        return Local<Object>();
    }

    // The name may be that of a class; else it is the error's own.
    Local<Object> of_name(Local<String> name, Local<String> message)
    {
        Local<String> built_in = text("class", "");
        Local<Object> error =
            of_class(built_in->Length() > 0 ? built_in : name, message);

        if (!error.IsEmpty() && built_in->Length() == 0) {
            return error;
        }
        if (error.IsEmpty()) {
            error = v8::Exception::Error(message).As<Object>();
        }
        define(error, "name", name);
        return error;
    }

    bool set_prototype(Local<Object> error, nw__error_class which)
    {
        const v8::Global<Object> &prototype = codec_->prototypes[which];

        aggregate_ = which == NW__ERROR_AGGREGATE;
        return !prototype.IsEmpty() &&
               error->SetPrototype(context_, prototype.Get(isolate_))
                   .FromMaybe(false);
    }

    bool define(Local<Object> error, const char *key, Local<Value> value)
    {
        return error
            ->DefineOwnProperty(context_, nw::string(isolate_, key), value,
                                v8::DontEnum)
            .FromMaybe(false);
    }

    // One that C made has none. What V8 noted is where we stand here.
    bool set_stack(Local<Object> error, Local<String> name,
                   Local<String> message)
    {
        Local<String> stack = text("stack", "");

        if (stack->Length() == 0) {
            stack = message->Length() == 0 ? name : header(name, message);
        }
        return error->Set(context_, nw::string(isolate_, "stack"), stack)
            .FromMaybe(false);
    }

    Local<String> header(Local<String> name, Local<String> message)
    {
        Local<String> begin =
            String::Concat(isolate_, name, nw::string(isolate_, ": "));

        // Too long together for a string: two that are none.
        if (static_cast<int64_t>(begin->Length()) + message->Length() >
            String::kMaxLength) {
            return name;
        }
        return String::Concat(isolate_, begin, message);
    }

    bool set_hidden(Local<Object> error, const char *key)
    {
        Local<Value> value = member(key);

        return value.IsEmpty() || define(error, key, value);
    }

    bool set_errors(Local<Object> error)
    {
        Local<Value> errors = member("errors");

        if (!errors.IsEmpty() && errors->IsArray()) {
            return define(error, "errors", errors);
        }
        return !aggregate_ || define(error, "errors", v8::Array::New(isolate_));
    }

    bool set_code(Local<Object> error)
    {
        Local<Value> code = member("code");

        return code.IsEmpty() || code->IsUndefined() ||
               error
                   ->CreateDataProperty(context_, nw::string(isolate_, "code"),
                                        code)
                   .FromMaybe(false);
    }

    // All but the stack, which has its own place.
    bool set_properties(Local<Object> error)
    {
        Local<Value> value = member("properties");
        Local<v8::Array> keys;

        if (value.IsEmpty() || !nw::is_plain(value)) {
            return true;
        }
        Local<Object> properties = value.As<Object>();
        Local<String> stack = nw::string(isolate_, "stack");
        if (!properties
                 ->GetOwnPropertyNames(
                     context_,
                     static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE |
                                                     v8::SKIP_SYMBOLS),
                     v8::KeyConversionMode::kConvertToString)
                 .ToLocal(&keys)) {
            return false;
        }
        for (uint32_t i = 0; i < keys->Length(); i++) {
            Local<Value> key;
            if (!keys->Get(context_, i).ToLocal(&key) ||
                !properties->Get(context_, key).ToLocal(&value)) {
                return false;
            }
            if (!key->StrictEquals(stack) &&
                !error->CreateDataProperty(context_, key.As<Name>(), value)
                     .FromMaybe(false)) {
                return false;
            }
        }
        return true;
    }

    const nw__engine_codec *codec_;
    Isolate *isolate_;
    Local<v8::Context> context_;
    Local<Object> record_;
    bool aggregate_ = false;
};

} // namespace

MaybeLocal<Object> nw::make_error(const nw__engine_codec *codec,
                                  Isolate *isolate, Local<Value> record)
{
    if (!is_plain(record)) {
        return MaybeLocal<Object>();
    }
    return Maker(codec, isolate, record.As<Object>()).make();
}
