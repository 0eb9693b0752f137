// Where the memory behind an iterator is, and plain iterators without proxies.
#ifndef CUDA_EMULATOR_THRUST_ITERATORS_H
#define CUDA_EMULATOR_THRUST_ITERATORS_H

#include "thrust/detail/pointer.h"

namespace thrust {

// Written in a few lines by a type with dereference(), advance(n) and distance_to(other).
namespace detail {

template <class Self, class Value, class Reference>
class Facade {
    Self& self() { return static_cast<Self&>(*this); }
    const Self& self() const { return static_cast<const Self&>(*this); }

public:
    using value_type = Value;
    using reference = Reference;
    using pointer = void;
    using difference_type = ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;

    Reference operator*() const { return self().dereference(); }
    Reference operator[](difference_type n) const { return (self() + n).dereference(); }
    Self& operator+=(difference_type n) {
        self().advance(n);
        return self();
    }
    Self& operator-=(difference_type n) { return *this += -n; }
    Self& operator++() { return *this += 1; }
    Self& operator--() { return *this += -1; }
    Self operator++(int) {
        Self before = self();
        ++*this;
        return before;
    }
    Self operator--(int) {
        Self before = self();
        --*this;
        return before;
    }
    friend Self operator+(Self it, difference_type n) { return it += n; }
    friend Self operator+(difference_type n, Self it) { return it += n; }
    friend Self operator-(Self it, difference_type n) { return it -= n; }
    friend difference_type operator-(const Self& a, const Self& b) { return b.distance_to(a); }
    friend bool operator==(const Self& a, const Self& b) { return a.distance_to(b) == 0; }
    friend bool operator!=(const Self& a, const Self& b) { return a.distance_to(b) != 0; }
    friend bool operator<(const Self& a, const Self& b) { return a.distance_to(b) > 0; }
    friend bool operator>(const Self& a, const Self& b) { return a.distance_to(b) < 0; }
    friend bool operator<=(const Self& a, const Self& b) { return a.distance_to(b) >= 0; }
    friend bool operator>=(const Self& a, const Self& b) { return a.distance_to(b) <= 0; }
};

template <class I>
using value_of = typename std::iterator_traits<I>::value_type;
template <class I>
using reference_of = typename std::iterator_traits<I>::reference;

// A vector's iterator: a pointer that is not mistaken for one.
template <class Pointer>
class normal_iterator
    : public Facade<normal_iterator<Pointer>, value_of<Pointer>, reference_of<Pointer>> {
    Pointer at{};

public:
    using pointer = Pointer;

    normal_iterator() = default;
    explicit normal_iterator(Pointer at) : at(at) {}
    template <class P, class = std::enable_if_t<std::is_convertible<P, Pointer>::value>>
    normal_iterator(const normal_iterator<P>& other) : at(other.base()) {}

    Pointer base() const { return at; }
    reference_of<Pointer> dereference() const { return *at; }
    void advance(ptrdiff_t n) { at += n; }
    ptrdiff_t distance_to(const normal_iterator& other) const { return other.at - at; }
    auto operator->() const { return raw_pointer_cast(at); }
};

// iterator and const_iterator of one vector
template <class P, class Q, class = std::enable_if_t<!std::is_same<P, Q>::value>>
auto operator-(const normal_iterator<P>& a, const normal_iterator<Q>& b)
    -> decltype(a.base() - b.base()) {
    return a.base() - b.base();
}
template <class P, class Q, class = std::enable_if_t<!std::is_same<P, Q>::value>>
auto operator==(const normal_iterator<P>& a, const normal_iterator<Q>& b)
    -> decltype(a.base() == b.base()) {
    return a.base() == b.base();
}
template <class P, class Q, class = std::enable_if_t<!std::is_same<P, Q>::value>>
auto operator!=(const normal_iterator<P>& a, const normal_iterator<Q>& b)
    -> decltype(a.base() != b.base()) {
    return a.base() != b.base();
}

// Where an iterator's memory is.
struct Host {};
struct Device {};
struct Anywhere {};  // no memory, as for a counting iterator

// For the fancy iterators, fancy.h says it.
template <class I, class = void>
struct System {
    using type = Host;
};
template <class I>
using system_of = typename System<I>::type;
template <class T>
struct System<device_ptr<T>> {
    using type = Device;
};
template <class P>
struct System<normal_iterator<P>> : System<P> {};

template <class A, class B>
struct Common {
    static_assert(std::is_same<A, B>::value,
                  "an algorithm's iterators must all be of the host or all of the device");
    using type = A;
};
template <class A>
struct Common<A, Anywhere> {
    using type = A;
};
template <class B>
struct Common<Anywhere, B> {
    using type = B;
};
template <>
struct Common<Anywhere, Anywhere> {
    using type = Anywhere;
};
template <class... I>
struct CommonSystem {
    using type = Anywhere;
};
template <class First, class... Rest>
struct CommonSystem<First, Rest...>
    : Common<system_of<First>, typename CommonSystem<Rest...>::type> {};

// raw(it): an iterator to the same values whose references are real ones.
template <class I>
struct Raw {
    using type = I;
    static type of(const I& it) { return it; }
};
template <class T>
struct Raw<device_ptr<T>> {
    using type = T*;
    static type of(const device_ptr<T>& it) { return it.get(); }
};
template <class P>
struct Raw<normal_iterator<P>> {
    using type = typename Raw<P>::type;
    static type of(const normal_iterator<P>& it) { return Raw<P>::of(it.base()); }
};
// std::vector and the like: contiguous, too
template <class T, class C>
struct Raw<__gnu_cxx::__normal_iterator<T*, C>> {
    using type = T*;
    static type of(const __gnu_cxx::__normal_iterator<T*, C>& it) { return it.base(); }
};
template <class I>
using raw_of = typename Raw<I>::type;
template <class I>
raw_of<I> raw(const I& it) {
    return Raw<I>::of(it);
}

template <class I>
constexpr bool is_contiguous = std::is_pointer<raw_of<I>>::value;

template <class I>
constexpr bool is_random =
    std::is_convertible<typename std::iterator_traits<I>::iterator_category,
                        std::random_access_iterator_tag>::value;

// The first address that a raw iterator reads, where it is certain that it belongs to the host
// alone; nullptr otherwise. A card cannot read such memory.
inline const void* host_only(const void* address) {
    cudaPointerAttributes attributes;
    if (cudaPointerGetAttributes(&attributes, address) != cudaSuccess) {
        cudaGetLastError();
        return nullptr;
    }
    return attributes.type == cudaMemoryTypeUnregistered ? address : nullptr;
}
template <class T>
const void* host_only_memory(T* it) {
    return host_only(it);
}
template <class I>
const void* host_only_memory(const I&) {
    return nullptr;
}

}  // namespace detail

template <class I>
using iterator_value_t = detail::value_of<I>;
template <class I>
struct iterator_value {
    using type = detail::value_of<I>;
};
template <class I>
struct iterator_reference {
    using type = detail::reference_of<I>;
};
template <class I>
struct iterator_difference {
    using type = typename std::iterator_traits<I>::difference_type;
};
template <class I>
struct iterator_traits : std::iterator_traits<I> {};

template <class I>
typename std::iterator_traits<I>::difference_type distance(I first, I last) {
    return std::distance(first, last);
}
template <class I, class N>
void advance(I& it, N n) {
    std::advance(it, n);
}

}  // namespace thrust

#endif
