// Iterators made of functions, numbers and other iterators.
#ifndef CUDA_EMULATOR_THRUST_FANCY_H
#define CUDA_EMULATOR_THRUST_FANCY_H

#include "thrust/detail/iterators.h"

namespace thrust {

struct use_default {};

template <class T, class = use_default, class = use_default, class = use_default>
class counting_iterator
    : public detail::Facade<counting_iterator<T>, T, T> {
    T at{};

public:
    counting_iterator() = default;
    explicit counting_iterator(T at) : at(at) {}
    T base() const { return at; }
    T dereference() const { return at; }
    void advance(ptrdiff_t n) { at = static_cast<T>(at + n); }
    ptrdiff_t distance_to(const counting_iterator& other) const {
        return static_cast<ptrdiff_t>(other.at) - static_cast<ptrdiff_t>(at);
    }
};

template <class T, class = use_default, class = use_default>
class constant_iterator : public detail::Facade<constant_iterator<T>, T, T> {
    T value{};
    ptrdiff_t at = 0;

public:
    constant_iterator() = default;
    explicit constant_iterator(const T& value, ptrdiff_t at = 0) : value(value), at(at) {}
    ptrdiff_t base() const { return at; }
    T dereference() const { return value; }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const constant_iterator& other) const { return other.at - at; }
};

namespace detail {
struct Anything {
    template <class T>
    const Anything& operator=(const T&) const {
        return *this;
    }
};
}  // namespace detail

template <class = use_default>
class discard_iterator
    : public detail::Facade<discard_iterator<>, detail::Anything, detail::Anything> {
    ptrdiff_t at = 0;

public:
    explicit discard_iterator(ptrdiff_t at = 0) : at(at) {}
    detail::Anything dereference() const { return {}; }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const discard_iterator& other) const { return other.at - at; }
};

namespace detail {
template <class Function, class I>
using transformed_t = std::decay_t<decltype(std::declval<Function&>()(
    *std::declval<const raw_of<I>&>()))>;
}

template <class Function, class I, class = use_default, class = use_default>
class transform_iterator
    : public detail::Facade<transform_iterator<Function, I>, detail::transformed_t<Function, I>,
                            decltype(std::declval<Function&>()(
                                *std::declval<const detail::raw_of<I>&>()))> {
    I at{};
    mutable Function function{};

public:
    transform_iterator() = default;
    explicit transform_iterator(const I& at, const Function& function = Function())
        : at(at), function(function) {}
    const I& base() const { return at; }
    const Function& functor() const { return function; }
    decltype(auto) dereference() const {
        return static_cast<typename transform_iterator::reference>(
            function(static_cast<detail::reference_of<I>>(*at)));
    }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const transform_iterator& other) const { return other.at - at; }
};

namespace detail {
template <class Function, class I>
struct TransformedPlace {
    I at;
    mutable Function function;
    template <class T>
    const TransformedPlace& operator=(const T& value) const {
        *at = function(value);
        return *this;
    }
};
}  // namespace detail

template <class Function, class I>
class transform_output_iterator
    : public detail::Facade<transform_output_iterator<Function, I>, detail::value_of<I>,
                            detail::TransformedPlace<Function, I>> {
    I at;
    Function function;

public:
    transform_output_iterator(const I& at, const Function& function)
        : at(at), function(function) {}
    const I& base() const { return at; }
    const Function& functor() const { return function; }
    detail::TransformedPlace<Function, I> dereference() const { return {at, function}; }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const transform_output_iterator& other) const { return other.at - at; }
};

template <class Elements, class Indices>
class permutation_iterator
    : public detail::Facade<permutation_iterator<Elements, Indices>, detail::value_of<Elements>,
                            detail::reference_of<Elements>> {
    Elements elements;
    Indices at;

public:
    permutation_iterator() = default;
    permutation_iterator(const Elements& elements, const Indices& at)
        : elements(elements), at(at) {}
    const Indices& base() const { return at; }
    const Elements& source() const { return elements; }
    detail::reference_of<Elements> dereference() const {
        return elements[static_cast<ptrdiff_t>(static_cast<detail::value_of<Indices>>(*at))];
    }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const permutation_iterator& other) const { return other.at - at; }
};

template <class I>
class reverse_iterator
    : public detail::Facade<reverse_iterator<I>, detail::value_of<I>, detail::reference_of<I>> {
    I at{};

public:
    reverse_iterator() = default;
    explicit reverse_iterator(const I& at) : at(at) {}
    template <class J, class = std::enable_if_t<std::is_convertible<J, I>::value>>
    reverse_iterator(const reverse_iterator<J>& other) : at(other.base()) {}
    I base() const { return at; }
    detail::reference_of<I> dereference() const {
        I before = at;
        return *--before;
    }
    void advance(ptrdiff_t n) { at -= n; }
    ptrdiff_t distance_to(const reverse_iterator& other) const { return at - other.at; }
};

template <class Iterators>
class zip_iterator;

template <class... I>
class zip_iterator<tuple<I...>>
    : public detail::Facade<zip_iterator<tuple<I...>>, tuple<detail::value_of<I>...>,
                            tuple<detail::reference_of<I>...>> {
    tuple<I...> at;

public:
    zip_iterator() = default;
    zip_iterator(const tuple<I...>& at) : at(at) {}
    template <class... J, class = std::enable_if_t<sizeof...(J) == sizeof...(I) &&
                                                   (sizeof...(J) > 1)>>
    zip_iterator(const J&... its) : at(its...) {}
    template <class... J>
    zip_iterator(const zip_iterator<tuple<J...>>& other) : at(other.get_iterator_tuple()) {}
    const tuple<I...>& get_iterator_tuple() const { return at; }
    tuple<detail::reference_of<I>...> dereference() const {
        return std::apply(
            [](const I&... its) { return tuple<detail::reference_of<I>...>(*its...); }, at);
    }
    void advance(ptrdiff_t n) {
        std::apply([n](I&... its) { ((its += n), ...); }, at);
    }
    ptrdiff_t distance_to(const zip_iterator& other) const {
        return std::get<0>(other.at) - std::get<0>(at);
    }
};
template <class... I>
zip_iterator(I...) -> zip_iterator<tuple<I...>>;
template <class... I>
zip_iterator(tuple<I...>) -> zip_iterator<tuple<I...>>;

template <class T>
counting_iterator<T> make_counting_iterator(T at) {
    return counting_iterator<T>(at);
}
template <class T>
constant_iterator<T> make_constant_iterator(const T& value, ptrdiff_t at = 0) {
    return constant_iterator<T>(value, at);
}
inline discard_iterator<> make_discard_iterator(ptrdiff_t at = 0) {
    return discard_iterator<>(at);
}
template <class Function, class I>
transform_iterator<Function, I> make_transform_iterator(I at, Function function) {
    return transform_iterator<Function, I>(at, function);
}
template <class Function, class I>
transform_output_iterator<Function, I> make_transform_output_iterator(I at, Function function) {
    return {at, function};
}
template <class Elements, class Indices>
permutation_iterator<Elements, Indices> make_permutation_iterator(Elements elements, Indices at) {
    return {elements, at};
}
template <class I>
reverse_iterator<I> make_reverse_iterator(I at) {
    return reverse_iterator<I>(at);
}
template <class... I>
zip_iterator<tuple<I...>> make_zip_iterator(const tuple<I...>& its) {
    return {its};
}
template <class... I>
zip_iterator<tuple<I...>> make_zip_iterator(I... its) {
    return {tuple<I...>(its...)};
}

// A function of several arguments, called with one tuple.
template <class Function>
class zip_function {
    mutable Function function;

public:
    explicit zip_function(Function function = Function()) : function(function) {}
    template <class Tuple>
    decltype(auto) operator()(Tuple&& values) const {
        return std::apply(function, std::forward<Tuple>(values));
    }
};
template <class Function>
zip_function<std::decay_t<Function>> make_zip_function(Function&& function) {
    return zip_function<std::decay_t<Function>>(std::forward<Function>(function));
}

namespace detail {

template <class T>
struct System<counting_iterator<T>> {
    using type = Anywhere;
};
template <class T>
struct System<constant_iterator<T>> {
    using type = Anywhere;
};
template <class S>
struct System<discard_iterator<S>> {
    using type = Anywhere;
};
template <class F, class I>
struct System<transform_iterator<F, I>> : System<I> {};
template <class F, class I>
struct System<transform_output_iterator<F, I>> : System<I> {};
template <class I>
struct System<reverse_iterator<I>> : System<I> {};
template <class E, class I>
struct System<permutation_iterator<E, I>> : CommonSystem<E, I> {};
template <class... I>
struct System<zip_iterator<tuple<I...>>> : CommonSystem<I...> {};

template <class F, class I>
struct Raw<transform_iterator<F, I>> {
    using type = transform_iterator<F, raw_of<I>>;
    static type of(const transform_iterator<F, I>& it) {
        return type(raw(it.base()), it.functor());
    }
};
template <class F, class I>
struct Raw<transform_output_iterator<F, I>> {
    using type = transform_output_iterator<F, raw_of<I>>;
    static type of(const transform_output_iterator<F, I>& it) {
        return type(raw(it.base()), it.functor());
    }
};
template <class I>
struct Raw<reverse_iterator<I>> {
    using type = reverse_iterator<raw_of<I>>;
    static type of(const reverse_iterator<I>& it) { return type(raw(it.base())); }
};
template <class E, class I>
struct Raw<permutation_iterator<E, I>> {
    using type = permutation_iterator<raw_of<E>, raw_of<I>>;
    static type of(const permutation_iterator<E, I>& it) {
        return type(raw(it.source()), raw(it.base()));
    }
};
template <class... I>
struct Raw<zip_iterator<tuple<I...>>> {
    using type = zip_iterator<tuple<raw_of<I>...>>;
    static type of(const zip_iterator<tuple<I...>>& it) {
        return std::apply(
            [](const I&... its) { return type(tuple<raw_of<I>...>(raw(its)...)); },
            it.get_iterator_tuple());
    }
};

template <class F, class I>
const void* host_only_memory(const transform_iterator<F, I>& it) {
    return host_only_memory(it.base());
}
template <class E, class I>
const void* host_only_memory(const permutation_iterator<E, I>& it) {
    const void* found = host_only_memory(it.base());
    return found != nullptr ? found : host_only_memory(it.source());
}
template <class... I>
const void* host_only_memory(const zip_iterator<tuple<I...>>& it) {
    return std::apply(
        [](const I&... its) {
            const void* found = nullptr;
            ((found = found != nullptr ? found : host_only_memory(its)), ...);
            return found;
        },
        it.get_iterator_tuple());
}

}  // namespace detail
}  // namespace thrust

#endif
