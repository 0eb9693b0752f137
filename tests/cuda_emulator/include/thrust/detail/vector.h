// host_vector and device_vector: one class, whose allocator's pointer says where it lives.
#ifndef CUDA_EMULATOR_THRUST_VECTOR_H
#define CUDA_EMULATOR_THRUST_VECTOR_H

#include <initializer_list>
#include <memory>
#include <vector>

#include "thrust/detail/allocate.h"
#include "thrust/copy.h"
#include "thrust/equal.h"
#include "thrust/swap.h"
#include "thrust/uninitialized_copy.h"
#include "thrust/uninitialized_fill.h"

namespace thrust {
namespace detail {

template <class I>
using if_input_iterator =
    std::enable_if_t<std::is_convertible<typename std::iterator_traits<I>::iterator_category,
                                         std::input_iterator_tag>::value,
                     int>;

template <class T, class Allocator>
class Vector {
    using Traits = std::allocator_traits<Allocator>;

public:
    using value_type = T;
    using allocator_type = Allocator;
    using pointer = typename Traits::pointer;
    using const_pointer =
        std::conditional_t<std::is_pointer<pointer>::value, const T*, device_ptr<const T>>;
    using reference = reference_of<pointer>;
    using const_reference = reference_of<const_pointer>;
    using size_type = size_t;
    using difference_type = ptrdiff_t;
    using iterator = normal_iterator<pointer>;
    using const_iterator = normal_iterator<const_pointer>;
    using reverse_iterator = thrust::reverse_iterator<iterator>;
    using const_reverse_iterator = thrust::reverse_iterator<const_iterator>;

private:
    static constexpr bool on_device = std::is_same<system_of<pointer>, Device>::value;

    Allocator allocator;
    pointer memory = nullptr;
    size_type count = 0;
    size_type room = 0;

    static typename PolicyOf<system_of<pointer>>::type policy() { return {}; }

    pointer allocate(size_type n) {
        if (n > max_size()) throw std::length_error("thrust vector: too long");
        return n != 0 ? allocator.allocate(n) : pointer(nullptr);
    }

    void destroy(pointer first, size_type n) {
        if constexpr (!std::is_trivially_destructible<T>::value) {
            T* raw_first = raw_pointer_cast(first);
            each(policy(), independent("destroy", n), [=](ptrdiff_t i) { raw_first[i].~T(); },
                 raw_first);
        }
    }

    void release() noexcept {
        // As in the toolkit an error here ends the program: a card that is lost, or a free
        // after the device was reset
        if (memory == nullptr) return;
        destroy(memory, count);
        allocator.deallocate(memory, room);
        memory = nullptr;
        count = room = 0;
    }

    static void value_initialise(pointer first, size_type n) {
        if (n == 0) return;
        T* raw_first = raw_pointer_cast(first);
        if constexpr (std::is_trivially_copyable<T>::value)
            thrust::uninitialized_fill_n(policy(), first, n, T());
        else
            each(policy(), independent("value_initialise", n),
                 [=](ptrdiff_t i) { new (static_cast<void*>(raw_first + i)) T(); }, raw_first);
    }

    static void fill(pointer first, size_type n, const T& value) {
        if (n != 0) thrust::uninitialized_fill_n(policy(), first, n, value);
    }

    // Within a vector or between two of a kind.
    static void move_values(pointer first, size_type n, pointer to) {
        if (n == 0) return;
        if constexpr (std::is_trivially_copyable<T>::value)
            copy_within(policy(), first, first + n, to);
        else
            thrust::uninitialized_copy(policy(), first, first + n, to);
    }

    template <class I>
    static void copy_values(I first, I last, pointer to) {
        if constexpr (std::is_same<system_of<I>, system_of<pointer>>::value &&
                      !std::is_trivially_copyable<T>::value && is_random<I>)
            thrust::uninitialized_copy(policy(), first, last, to);
        else if constexpr (!on_device && !std::is_trivially_copyable<T>::value)
            for (; first != last; ++first, ++to)
                new (static_cast<void*>(raw_pointer_cast(to))) T(*first);
        else
            copy_between(Chosen<I>(), system_of<pointer>(), first, last, to);
    }
    // Numbers from nowhere (a counting iterator) are made where the vector is.
    template <class I>
    using Chosen = std::conditional_t<std::is_same<system_of<I>, Anywhere>::value,
                                      system_of<pointer>, system_of<I>>;

    // Everything moves to memory for `wanted` elements.
    void move_to(size_type wanted) {
        pointer fresh = allocate(wanted);
        try {
            move_values(memory, count, fresh);
        } catch (...) {
            if (fresh != nullptr) allocator.deallocate(fresh, wanted);
            throw;
        }
        const size_type kept = count;
        release();
        memory = fresh;
        count = kept;
        room = wanted;
    }

    // At least doubled, so that growing by pieces stays cheap.
    void grow_by(size_type n) {
        if (count + n <= room) return;
        size_type wanted = count + (count > n ? count : n);
        if (wanted < 2 * room) wanted = 2 * room;
        move_to(wanted);
    }

    // Opens a gap of n uninitialised elements.
    pointer make_gap(size_type at, size_type n) {
        const size_type behind = count - at;
        if (count + n <= room && behind == 0) {
            count += n;
            return memory + at;
        }
        size_type wanted = room;
        if (count + n > room) {
            wanted = count + (count > n ? count : n);
            if (wanted < 2 * room) wanted = 2 * room;
        }
        pointer fresh = allocate(wanted);
        move_values(memory, at, fresh);
        move_values(memory + at, behind, fresh + at + n);
        const size_type all = count + n;
        release();
        memory = fresh;
        count = all;
        room = wanted;
        return memory + at;
    }

    template <class I>
    void copy_in(I first, I last) {
        if constexpr (std::is_convertible<typename std::iterator_traits<I>::iterator_category,
                                          std::forward_iterator_tag>::value) {
            const size_type n = static_cast<size_type>(std::distance(first, last));
            memory = allocate(n);
            room = n;
            if (n != 0) copy_values(first, last, memory);
            count = n;
        } else {
            for (; first != last; ++first) push_back(*first);
        }
    }

    // A constructor that fails gives back what it took.
    template <class Action>
    void construct(Action action) {
        try {
            action();
        } catch (...) {
            if (memory != nullptr) allocator.deallocate(memory, room);
            throw;
        }
    }

public:
    Vector() = default;
    explicit Vector(const Allocator& allocator) : allocator(allocator) {}
    explicit Vector(size_type n, const Allocator& allocator = Allocator())
        : allocator(allocator) {
        construct([&] {
            memory = allocate(n);
            room = n;
            value_initialise(memory, n);
            count = n;
        });
    }
    Vector(size_type n, const T& value, const Allocator& allocator = Allocator())
        : allocator(allocator) {
        construct([&] {
            memory = allocate(n);
            room = n;
            fill(memory, n, value);
            count = n;
        });
    }
    template <class I, if_input_iterator<I> = 0>
    Vector(I first, I last, const Allocator& allocator = Allocator()) : allocator(allocator) {
        construct([&] { copy_in(first, last); });
    }
    Vector(std::initializer_list<T> values, const Allocator& allocator = Allocator())
        : Vector(values.begin(), values.end(), allocator) {}
    Vector(const Vector& other) : Vector(other.begin(), other.end(), other.allocator) {}
    Vector(const Vector& other, const Allocator& allocator)
        : Vector(other.begin(), other.end(), allocator) {}
    Vector(Vector&& other) noexcept : allocator(other.allocator) { swap(other); }
    template <class U, class A>
    Vector(const Vector<U, A>& other) : Vector(other.begin(), other.end()) {}
    template <class U, class A>
    Vector(const std::vector<U, A>& other) : Vector(other.begin(), other.end()) {}
    ~Vector() { release(); }

    Vector& operator=(const Vector& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    Vector& operator=(Vector&& other) noexcept {
        release();
        swap(other);
        return *this;
    }
    Vector& operator=(std::initializer_list<T> values) {
        assign(values.begin(), values.end());
        return *this;
    }
    template <class U, class A>
    Vector& operator=(const Vector<U, A>& other) {
        assign(other.begin(), other.end());
        return *this;
    }
    template <class U, class A>
    Vector& operator=(const std::vector<U, A>& other) {
        assign(other.begin(), other.end());
        return *this;
    }

    template <class I, if_input_iterator<I> = 0>
    void assign(I first, I last) {
        if constexpr (std::is_convertible<typename std::iterator_traits<I>::iterator_category,
                                          std::forward_iterator_tag>::value) {
            const size_type n = static_cast<size_type>(std::distance(first, last));
            if (n > room) {
                Vector other(first, last, allocator);
                swap(other);
                return;
            }
            destroy(memory, count);
            count = 0;
            if (n != 0) copy_values(first, last, memory);
            count = n;
        } else {
            clear();
            for (; first != last; ++first) push_back(*first);
        }
    }
    void assign(size_type n, const T& value) {
        if (n > room) {
            Vector other(n, value, allocator);
            swap(other);
            return;
        }
        destroy(memory, count);
        count = 0;
        fill(memory, n, value);
        count = n;
    }
    void assign(std::initializer_list<T> values) { assign(values.begin(), values.end()); }

    void resize(size_type n) {
        if (n < count) {
            destroy(memory + n, count - n);
        } else if (n > count) {
            grow_by(n - count);
            value_initialise(memory + count, n - count);
        }
        count = n;
    }
    void resize(size_type n, const T& value) {
        if (n < count) {
            destroy(memory + n, count - n);
        } else if (n > count) {
            grow_by(n - count);
            fill(memory + count, n - count, value);
        }
        count = n;
    }
    void reserve(size_type n) {
        if (n > room) move_to(n);
    }
    void shrink_to_fit() {
        if (count != room) Vector(*this).swap(*this);
    }
    void clear() { resize(0); }
    void swap(Vector& other) noexcept {
        std::swap(allocator, other.allocator);
        std::swap(memory, other.memory);
        std::swap(count, other.count);
        std::swap(room, other.room);
    }
    friend void swap(Vector& a, Vector& b) noexcept { a.swap(b); }

    size_type size() const { return count; }
    size_type capacity() const { return room; }
    size_type max_size() const { return static_cast<size_type>(PTRDIFF_MAX) / sizeof(T); }
    bool empty() const { return count == 0; }
    Allocator get_allocator() const { return allocator; }

    pointer data() { return memory; }
    const_pointer data() const { return memory; }
    iterator begin() { return iterator(memory); }
    iterator end() { return iterator(memory + static_cast<ptrdiff_t>(count)); }
    const_iterator begin() const { return const_iterator(const_pointer(memory)); }
    const_iterator end() const {
        return const_iterator(const_pointer(memory) + static_cast<ptrdiff_t>(count));
    }
    const_iterator cbegin() const { return begin(); }
    const_iterator cend() const { return end(); }
    reverse_iterator rbegin() { return reverse_iterator(end()); }
    reverse_iterator rend() { return reverse_iterator(begin()); }
    const_reverse_iterator rbegin() const { return const_reverse_iterator(end()); }
    const_reverse_iterator rend() const { return const_reverse_iterator(begin()); }
    const_reverse_iterator crbegin() const { return rbegin(); }
    const_reverse_iterator crend() const { return rend(); }

    reference operator[](size_type i) { return memory[static_cast<ptrdiff_t>(i)]; }
    const_reference operator[](size_type i) const {
        return const_pointer(memory)[static_cast<ptrdiff_t>(i)];
    }
    reference front() { return (*this)[0]; }
    reference back() { return (*this)[count - 1]; }
    const_reference front() const { return (*this)[0]; }
    const_reference back() const { return (*this)[count - 1]; }

    void push_back(const T& value) {
        const T kept = value;  // it may be one of ours
        grow_by(1);
        fill(memory + count, 1, kept);
        ++count;
    }
    template <class... Arguments>
    void emplace_back(Arguments&&... arguments) {
        push_back(T(std::forward<Arguments>(arguments)...));
    }
    void pop_back() {
        destroy(memory + (count - 1), 1);
        --count;
    }

    iterator erase(iterator first, iterator last) {
        const size_type at = first - begin(), n = last - first;
        if (n == 0) return first;
        const size_type behind = count - at - n;
        T* to = raw_pointer_cast(memory) + at;
        if (behind != 0)
            // Overlapping, so one thread moves them all
            alone(
                policy(), independent("erase", behind),
                [=](void*) {
                    for (size_type i = 0; i < behind; ++i) to[i] = std::move(to[i + n]);
                },
                to);
        destroy(memory + (count - n), n);
        count -= n;
        return first;
    }
    iterator erase(iterator at) { return erase(at, at + 1); }

    iterator insert(iterator at, const T& value) {
        const size_type index = at - begin();
        insert(at, size_type(1), value);
        return begin() + index;
    }
    void insert(iterator at, size_type n, const T& value) {
        if (n == 0) return;
        const T kept = value;
        fill(make_gap(at - begin(), n), n, kept);
    }
    template <class I, if_input_iterator<I> = 0>
    void insert(iterator at, I first, I last) {
        const size_type n = static_cast<size_type>(std::distance(first, last));
        if (n == 0) return;
        const size_type index = at - begin();
        Vector values(first, last, allocator);
        move_values(values.memory, n, make_gap(index, n));
    }
};

// Vectors are compared where the first one lives; the other is copied there if need be.
template <class T, class A, class U, class B>
bool same_values(const Vector<T, A>& a, const Vector<U, B>& b) {
    if (a.size() != b.size()) return false;
    if (a.empty()) return true;
    using System_a = system_of<typename Vector<T, A>::iterator>;
    using System_b = system_of<typename Vector<U, B>::iterator>;
    if constexpr (std::is_same<System_a, System_b>::value) {
        return thrust::equal(a.begin(), a.end(), b.begin());
    } else if constexpr (std::is_same<System_a, Host>::value) {
        const Vector<U, std::allocator<U>> here(b);
        return thrust::equal(a.begin(), a.end(), here.begin());
    } else {
        return same_values(b, a);
    }
}
template <class T, class A, class U, class B>
bool operator==(const Vector<T, A>& a, const Vector<U, B>& b) {
    return same_values(a, b);
}
template <class T, class A, class U, class B>
bool operator!=(const Vector<T, A>& a, const Vector<U, B>& b) {
    return !same_values(a, b);
}
template <class T, class A, class U, class B>
bool operator==(const Vector<T, A>& a, const std::vector<U, B>& b) {
    return same_values(a, Vector<U, std::allocator<U>>(b));
}
template <class T, class A, class U, class B>
bool operator==(const std::vector<U, B>& b, const Vector<T, A>& a) {
    return same_values(a, Vector<U, std::allocator<U>>(b));
}
template <class T, class A, class U, class B>
bool operator!=(const Vector<T, A>& a, const std::vector<U, B>& b) {
    return !(a == b);
}

}  // namespace detail

template <class T, class Allocator = std::allocator<T>>
class host_vector : public detail::Vector<T, Allocator> {
    using Base = detail::Vector<T, Allocator>;

public:
    using Base::Base;
    using Base::operator=;
    host_vector() = default;
    host_vector(const host_vector&) = default;
    host_vector(host_vector&&) = default;
    host_vector& operator=(const host_vector&) = default;
    host_vector& operator=(host_vector&&) = default;
    template <class U, class A>
    host_vector(const detail::Vector<U, A>& other) : Base(other) {}
};

template <class T, class Allocator = device_allocator<T>>
class device_vector : public detail::Vector<T, Allocator> {
    using Base = detail::Vector<T, Allocator>;

public:
    using Base::Base;
    using Base::operator=;
    device_vector() = default;
    device_vector(const device_vector&) = default;
    device_vector(device_vector&&) = default;
    device_vector& operator=(const device_vector&) = default;
    device_vector& operator=(device_vector&&) = default;
    template <class U, class A>
    device_vector(const detail::Vector<U, A>& other) : Base(other) {}
};

}  // namespace thrust

#endif
